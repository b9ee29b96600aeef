import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { approvalsCommands } from './commands/approvals.commands.js';
import { artifactsCommand } from './commands/artifacts.command.js';
import { cancelCommand } from './commands/cancel.command.js';
import { dbCommand } from './commands/db.command.js';
import { demoCommand } from './commands/demo.command.js';
import { jobsCommand } from './commands/jobs.command.js';
import { keysCommand } from './commands/keys.command.js';
import { eventsCommand, verifyCommand } from './commands/ledger.commands.js';
import { logsCommand } from './commands/logs.command.js';
import { retryCommand } from './commands/retry.command.js';
import { schedulesCommand } from './commands/schedules.command.js';
import { startCommand } from './commands/start.command.js';
import { submitCommand } from './commands/submit.command.js';
import { workspaceCommand } from './commands/workspace.command.js';
import type { Terminal } from './terminal/terminal.js';

const FIRST_STEPS = `
Exit codes:
  0  done; the job completed      2  wrong arguments, or a definition that is not accepted
  1  failed; the job failed       3  the server cannot be reached

Examples:
  $ runledger start                                   the whole system, in this folder
  $ runledger submit examples/hello.yaml --follow     a job, watched to its end
  $ runledger events latest                           what happened in it, event by event
  $ runledger verify latest                           the proof that nothing of it was changed`;

/** The `runledger` command with everything below it. Failures are thrown, never printed: `main` tells them all in one way. */
export function buildProgram(terminal: Terminal): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('runledger')
    .description('A self-hosted job runner whose every step is an immutable, verifiable event.')
    .version(version, '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText('after', FIRST_STEPS);
  startCommand(program, terminal);
  submitCommand(program, terminal);
  jobsCommand(program, terminal);
  cancelCommand(program, terminal);
  approvalsCommands(program, terminal);
  retryCommand(program, terminal);
  eventsCommand(program, terminal);
  logsCommand(program, terminal);
  verifyCommand(program, terminal);
  artifactsCommand(program, terminal);
  workspaceCommand(program, terminal);
  schedulesCommand(program, terminal);
  keysCommand(program, terminal);
  dbCommand(program, terminal);
  demoCommand(program, terminal);
  return program;
}
