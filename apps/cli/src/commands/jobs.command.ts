import { InvalidArgumentError, Option, type Command } from 'commander';
import type { JobFilter, RunnerJobStatus, RunnerJobSummary } from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { ExitWith } from '../failure.js';
import { exitCodeOf, followToEnd } from '../follow/follow.js';
import { jobLines } from '../terminal/job-lines.js';
import { jobTable, stepTable } from '../terminal/job-text.js';
import type { Terminal } from '../terminal/terminal.js';

const STATUSES: RunnerJobStatus[] = ['PENDING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'];

export function jobsCommand(program: Command, terminal: Terminal): void {
  const jobs = program.command('jobs').summary('list and show jobs').description('List and show jobs.');
  listCommand(jobs, terminal);
  showCommand(jobs, terminal);
  followCommand(program, terminal);
}

interface ListOptions extends ServerOptions {
  status?: RunnerJobStatus;
  kind?: string;
  project?: string;
  tag?: string[];
  meta?: Record<string, string>;
  schedule?: string;
  retryOf?: string;
  limit: number;
}

function listCommand(jobs: Command, terminal: Terminal): void {
  addServerOptions(jobs.command('list').alias('ls'))
    .description('List jobs, newest first. With --json: one job a line.')
    .addOption(new Option('--status <status>', 'only jobs with this status').choices(STATUSES).argParser(parseStatus))
    .option('--kind <kind>', 'only jobs of this kind, such as PIPELINE')
    .option('--project <id>', 'only jobs of this project')
    .option('-t, --tag <tag>', 'only jobs with this tag; may be given again, for all of them', parseTag)
    .option('-m, --meta <name=value>', 'only jobs with this in their metadata; may be given again', parseMember)
    .option('--schedule <id>', 'only jobs that this schedule made')
    .option('--retry-of <id>', 'only retries of this job')
    .option('-n, --limit <number>', 'how many', parseLimit, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger jobs list --status FAILED\n  $ runledger jobs list --tag nightly --meta customer=acme\n  $ runledger jobs list -n 1000 --json | jq -r .id',
    )
    .action(async (options: ListOptions) => {
      const client = await connect(options);
      const found: RunnerJobSummary[] = [];
      const { limit } = options;
      for await (const job of client.listJobs(filterOf(options))) {
        if (options.json === true) terminal.json(job);
        if (found.push(job) >= limit) break;
      }
      if (options.json === true) return;
      if (found.length === 0) terminal.note(terminal.noteColors.dim(nothingFound(options)));
      else jobTable(found, terminal.columns, terminal.colors, Date.now()).forEach((line) => terminal.line(line));
    });
}

function filterOf({ status, kind, project, tag, meta, schedule, retryOf, limit }: ListOptions): JobFilter {
  return {
    pageSize: Math.min(limit, 200),
    ...(status === undefined ? {} : { status }),
    ...(kind === undefined ? {} : { kind }),
    ...(project === undefined ? {} : { projectId: project }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(meta === undefined ? {} : { metadata: meta }),
    ...(schedule === undefined ? {} : { scheduleId: schedule }),
    ...(retryOf === undefined ? {} : { retryOf }),
  };
}

function nothingFound(options: ListOptions): string {
  const { pageSize: _, ...filter } = filterOf(options);
  return Object.keys(filter).length === 0 ? 'no jobs; submit one with: runledger submit FILE' : 'no such jobs';
}

function showCommand(jobs: Command, terminal: Terminal): void {
  addServerOptions(jobs.command('show'))
    .description('Show a job with its steps.')
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger jobs show latest\n  $ runledger jobs show 0198f3c2 --json | jq .steps[].outputs',
    )
    .action(async (given: string, options: ServerOptions) => {
      const client = await connect(options);
      const job = await client.getJob(await resolveJobId(client, given));
      if (options.json === true) return terminal.json(job);
      jobLines(job, terminal.colors).forEach((line) => terminal.line(line));
      terminal.line();
      stepTable(job.steps, terminal.columns, terminal.colors).forEach((line) => terminal.line(line));
    });
}

function followCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('follow'))
    .summary('watch a job to its end')
    .description('Watch a job to its end, from its first event. The exit code is 0 if it completed, 1 if it did not.')
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .addHelpText('after', '\nExamples:\n  $ runledger follow latest')
    .action(async (given: string, options: ServerOptions) => {
      const client = await connect(options);
      const job = await client.getJob(await resolveJobId(client, given));
      throw new ExitWith(exitCodeOf(await followToEnd(client, job, terminal, options.json === true)));
    });
}

function parseStatus(text: string): RunnerJobStatus {
  const status = STATUSES.find((each) => each === text.toUpperCase());
  if (status === undefined) throw new InvalidArgumentError(`It must be one of ${STATUSES.join(', ')}.`);
  return status;
}

function parseTag(tag: string, earlier: string[] = []): string[] {
  return [...earlier, tag];
}

function parseMember(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const [name = '', ...value] = text.split('=');
  if (name === '' || value.length === 0) throw new InvalidArgumentError('It must be NAME=VALUE.');
  return { ...earlier, [name]: value.join('=') };
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return limit;
}
