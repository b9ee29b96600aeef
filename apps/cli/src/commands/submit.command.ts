import type { Command } from 'commander';
import { ApiError, type RunnerJob } from '#client';
import { addServerOptions, connect, type ServerOptions } from '../connect.js';
import { fieldErrorLines, readDefinition, type DefinitionFile } from '../definition-file.js';
import { ExitWith, UsageError } from '../failure.js';
import { exitCodeOf, followToEnd } from '../follow/follow.js';
import { addSecretOptions, readSecrets, withSecrets, type SecretOptions } from '../secret-options.js';
import type { Terminal } from '../terminal/terminal.js';

type SubmitOptions = ServerOptions & SecretOptions & { follow?: boolean };

export function submitCommand(program: Command, terminal: Terminal): void {
  addSecretOptions(addServerOptions(program.command('submit')))
    .summary('submit jobs')
    .description(
      'Submit a job definition: a YAML or JSON file, or - for standard input. Several are submitted together: all of them, or none.',
    )
    .argument('<file...>', 'the definition, or -')
    .option('-f, --follow', 'watch the job to its end; the exit code is then 0 if it completed, 1 if it did not')
    .addHelpText(
      'after',
      `
Examples:
  $ runledger submit examples/hello.yaml --follow
  $ cat job.yaml | runledger submit -
  $ runledger submit job.yaml --json | jq -r .id
  $ runledger submit job.yaml --secret API_TOKEN --secret-file DEPLOY_KEY=~/.ssh/deploy
  $ runledger submit nightly/*.yaml`,
    )
    .action(async (files: string[], options: SubmitOptions) => {
      const [file = '-', ...others] = files;
      if (others.length > 0) return submitAll(files, options, terminal);
      await submitOne(file, options, terminal);
    });
}

async function submitOne(file: string, options: SubmitOptions, terminal: Terminal): Promise<void> {
  const json = options.json === true;
  const definition = await readDefinition(file);
  const body = withSecrets(definition.value, await readSecrets(options));
  const client = await connect(options);
  const job = await submit(() => client.submit(body), definition);
  if (options.follow !== true) {
    if (json) terminal.json(job);
    else tellSubmitted(job, terminal);
    return;
  }
  if (json) terminal.json({ kind: 'submitted', job });
  const status = await followToEnd(client, job, terminal, json);
  if (json) terminal.json({ kind: 'finished', job: await client.getJob(job.id) });
  throw new ExitWith(exitCodeOf(status));
}

async function submitAll(files: string[], options: SubmitOptions, terminal: Terminal): Promise<void> {
  if (options.follow === true) throw new UsageError('--follow takes one job; submit them one by one to watch them');
  if ([...(options.secret ?? []), ...(options.secretFile ?? [])].length > 0)
    throw new UsageError('secrets belong to one job; submit the jobs that need them one by one');
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('- can be given only once');
  const definitions: DefinitionFile[] = [];
  for (const file of files) definitions.push(await readDefinition(file));
  const client = await connect(options);
  const jobs = await submit(() => client.submitAll(definitions.map(({ value }) => value)), {
    locate: (field) => locateInBatch(definitions, field),
  });
  for (const job of jobs) {
    if (options.json === true) terminal.json(job);
    else terminal.line(job.id);
  }
  if (options.json !== true) terminal.note(terminal.noteColors.dim(`submitted ${jobs.length} jobs together`));
}

/** `jobs[1].steps[0].run` is `steps[0].run` of the second file. */
export function locateInBatch(definitions: Pick<DefinitionFile, 'locate'>[], field: string): string {
  const [, index, rest] = /^jobs\[(\d+)\]\.?(.*)$/s.exec(field) ?? [];
  return definitions[Number(index)]?.locate(rest ?? '') ?? 'the batch';
}

/** Shows the errors of a refused definition beside the lines that they are about. */
async function submit<Accepted>(
  send: () => Promise<Accepted>,
  definition: Pick<DefinitionFile, 'locate'>,
): Promise<Accepted> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.errors === undefined || error.problem.errors.length === 0)
      throw error;
    throw new UsageError(
      'the job definition is not accepted',
      fieldErrorLines(error.problem.errors, definition),
      error.code,
    );
  }
}

function tellSubmitted(job: RunnerJob, terminal: Terminal): void {
  terminal.line(job.id);
  terminal.note(terminal.noteColors.dim(`submitted "${job.name}"; watch it with: runledger follow ${job.id}`));
}
