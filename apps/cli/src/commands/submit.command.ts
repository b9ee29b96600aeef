import type { Command } from 'commander';
import { ApiError, type RunnerJob } from '#client';
import { addServerOptions, connect, type ServerOptions } from '../connect.js';
import { fieldErrorLines, readDefinition } from '../definition-file.js';
import { ExitWith, UsageError } from '../failure.js';
import { exitCodeOf, followToEnd } from '../follow/follow.js';
import type { Terminal } from '../terminal/terminal.js';

export function submitCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('submit'))
    .summary('submit a job')
    .description('Submit a job definition: a YAML or JSON file, or - for standard input.')
    .argument('<file>', 'the definition, or -')
    .option('-f, --follow', 'watch the job to its end; the exit code is then 0 if it completed, 1 if it did not')
    .addHelpText(
      'after',
      `
Examples:
  $ runledger submit examples/hello.yaml --follow
  $ cat job.yaml | runledger submit -
  $ runledger submit job.yaml --json | jq -r .id`,
    )
    .action(async (file: string, options: ServerOptions & { follow?: boolean }) => {
      const json = options.json === true;
      const definition = await readDefinition(file);
      const client = await connect(options);
      const job = await submit(() => client.submit(definition.value), definition);
      if (options.follow !== true) {
        if (json) terminal.json(job);
        else tellSubmitted(job, terminal);
        return;
      }
      if (json) terminal.json({ kind: 'submitted', job });
      const status = await followToEnd(client, job, terminal, json);
      if (json) terminal.json({ kind: 'finished', job: await client.getJob(job.id) });
      throw new ExitWith(exitCodeOf(status));
    });
}

/** Shows the errors of a refused definition beside the lines that they are about. */
async function submit(
  send: () => Promise<RunnerJob>,
  definition: Awaited<ReturnType<typeof readDefinition>>,
): Promise<RunnerJob> {
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
