import type { Command } from 'commander';
import { childEnvironment, loadConfig } from '#config';
import { dataDirOption } from '../connect.js';
import { ExitWith } from '../failure.js';
import type { Terminal } from '../terminal/terminal.js';

interface StartOptions {
  port?: string;
  host?: string;
  dataDir: string;
  json?: boolean;
}

export function startCommand(program: Command, terminal: Terminal): void {
  program
    .command('start')
    .summary('start the whole system')
    .description(
      'Start the whole system and keep it running: database, API, one worker process per queue. ' +
        'Without DATABASE_URL it brings its own PostgreSQL; without REDIS_URL the queue lives in the database.',
    )
    .option('-p, --port <number>', 'the port of the API; 0 chooses a free one (default: PORT or 3000)')
    .option('--host <address>', 'the address to listen on (default: HOST or 127.0.0.1)')
    .addOption(dataDirOption())
    .option('--json', 'when all is ready, print {"url","workspaceId","apiKey"} on standard output, and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger start\n  $ runledger start --port 0 --data-dir /tmp/trial --json\n  $ DATABASE_URL=postgres://... REDIS_URL=redis://... runledger start',
    )
    .action(async (options: StartOptions) => {
      const config = loadConfig(
        childEnvironment({ DATA_DIR: options.dataDir, ...given('PORT', options.port), ...given('HOST', options.host) }),
      );
      // Only this command needs the server's libraries; the others are quick without them.
      const { runSystem } = await import('../supervisor/run-system.js');
      const exitCode = await runSystem(config, terminal, options.json === true);
      throw new ExitWith(exitCode);
    });
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
