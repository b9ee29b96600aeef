import { InvalidArgumentError, Option, type Command } from 'commander';
import type { RunnerJobStatus, RunnerJobSummary } from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { ExitWith } from '../failure.js';
import { exitCodeOf, followToEnd } from '../follow/follow.js';
import { cleanLine } from '../terminal/format.js';
import { jobDuration, jobTable, paintStatus, stepTable } from '../terminal/job-text.js';
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
  limit: number;
}

function listCommand(jobs: Command, terminal: Terminal): void {
  addServerOptions(jobs.command('list').alias('ls'))
    .description('List jobs, newest first. With --json: one job a line.')
    .addOption(new Option('--status <status>', 'only jobs with this status').choices(STATUSES).argParser(parseStatus))
    .option('--kind <kind>', 'only jobs of this kind, such as PIPELINE')
    .option('-n, --limit <number>', 'how many', parseLimit, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger jobs list --status FAILED\n  $ runledger jobs list -n 1000 --json | jq -r .id',
    )
    .action(async (options: ListOptions) => {
      const client = await connect(options);
      const found: RunnerJobSummary[] = [];
      const { status, kind, limit } = options;
      const filter = {
        pageSize: Math.min(limit, 200),
        ...(status === undefined ? {} : { status }),
        ...(kind === undefined ? {} : { kind }),
      };
      for await (const job of client.listJobs(filter)) {
        if (options.json === true) terminal.json(job);
        if (found.push(job) >= limit) break;
      }
      if (options.json === true) return;
      if (found.length === 0) terminal.note(terminal.noteColors.dim('no jobs; submit one with: runledger submit FILE'));
      else jobTable(found, terminal.columns, terminal.colors, Date.now()).forEach((line) => terminal.line(line));
    });
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
      const { bold, dim, red } = terminal.colors;
      const took = jobDuration(job);
      terminal.line(
        `${bold(cleanLine(job.name))}  ${paintStatus(job.status, job.status, terminal.colors)}${took === '' ? '' : dim(` in ${took}`)}`,
      );
      terminal.line(dim(`${job.id} · ${job.kind} · priority ${job.priority} · created ${job.createdAt}`));
      if (job.error !== null) terminal.line(red(cleanLine(`${job.error.code}: ${job.error.message}`)));
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

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return limit;
}
