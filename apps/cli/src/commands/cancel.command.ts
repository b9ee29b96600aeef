import type { Command } from 'commander';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { ExitWith } from '../failure.js';
import { followToEnd } from '../follow/follow.js';
import { cleanLine } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';

interface CancelOptions extends ServerOptions {
  reason?: string;
  wait?: boolean;
}

export function cancelCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('cancel'))
    .summary('end a job early')
    .description(
      'End a job early: what runs gets SIGTERM and, after a grace period, SIGKILL; remaining steps are skipped, CLEANUP runs. With --wait the exit code is 0 once the job is CANCELLED.',
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .option('-r, --reason <text>', 'why; kept in the ledger')
    .option('-w, --wait', 'watch the job to its end')
    .addHelpText('after', '\nExamples:\n  $ runledger cancel latest --reason "the wrong branch" --wait')
    .action(async (given: string, options: CancelOptions) => {
      const client = await connect(options);
      const job = await client.cancel(await resolveJobId(client, given), options.reason);
      if (options.wait === true && job.completedAt === null) {
        const status = await followToEnd(client, job, terminal, options.json === true);
        throw new ExitWith(status === 'CANCELLED' ? 0 : 1);
      }
      if (options.json === true) return terminal.json(job);
      const said = job.status === 'CANCELLED' ? 'is cancelled' : 'is being cancelled';
      terminal.line(`${cleanLine(job.name)} ${said}  ${terminal.colors.dim(job.id)}`);
    });
}
