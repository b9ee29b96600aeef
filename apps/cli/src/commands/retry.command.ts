import type { Command } from 'commander';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { ExitWith } from '../failure.js';
import { exitCodeOf, followToEnd } from '../follow/follow.js';
import { cleanLine } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';

interface RetryOptions extends ServerOptions {
  from?: string;
  follow?: boolean;
}

export function retryCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('retry'))
    .summary('do again what a job did not get done')
    .description(
      'Make a new job of one that FAILED or was CANCELLED. Completed steps before --from are not run again; the workdir is restored as it was.',
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .option('--from <step>', 'failed-step, start, or the key of the first step to run again (default: failed-step)')
    .option('-f, --follow', 'watch the new job to its end; the exit code is then 0 if it completed, 1 if it did not')
    .addHelpText('after', '\nExamples:\n  $ runledger retry latest --follow\n  $ runledger retry 0198f3c2 --from build')
    .action(async (given: string, options: RetryOptions) => {
      const json = options.json === true;
      const client = await connect(options);
      const job = await client.retry(await resolveJobId(client, given), options.from);
      if (options.follow !== true) {
        if (json) return terminal.json(job);
        terminal.line(job.id);
        terminal.note(
          terminal.noteColors.dim(`retrying "${cleanLine(job.name)}"; watch it with: runledger follow ${job.id}`),
        );
        return;
      }
      if (json) terminal.json({ kind: 'submitted', job });
      const status = await followToEnd(client, job, terminal, json);
      if (json) terminal.json({ kind: 'finished', job: await client.getJob(job.id) });
      throw new ExitWith(exitCodeOf(status));
    });
}
