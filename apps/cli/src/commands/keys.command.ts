import type { Command } from 'commander';
import { dataDirOption } from '../connect.js';
import type { Terminal } from '../terminal/terminal.js';

interface CreateOptions {
  name: string;
  scope?: string[];
  role?: string[];
  dataDir: string;
  json?: boolean;
}

/** API keys; `start` takes care of its own. */
export function keysCommand(program: Command, terminal: Terminal): void {
  program
    .command('keys')
    .summary('make API keys')
    .description('Make API keys, with the connection of the database owner.')
    .command('create')
    .summary('make a key')
    .description(
      'Make a key to the default workspace (which is made, too, where it is missing) in the database that ' +
        'DATABASE_OWNER_URL or DATABASE_URL names, or else in that of the local system while it runs. The key is shown once; only ' +
        'its hash is stored.',
    )
    .requiredOption('--name <name>', 'what the key is for, 1 to 100 characters')
    .option('--scope <scopes...>', 'what it may do (default: everything)')
    .option('--role <roles...>', 'which roles of approvals it carries: free names')
    .addOption(dataDirOption())
    .option('--json', 'print JSON for scripts, and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger keys create --name ci --scope jobs:read jobs:write\n  $ runledger keys create --name maria --scope jobs:read approvals:write --role release-manager',
    )
    .action(async (options: CreateOptions) => {
      // Only a few commands need the server's libraries; the others are quick without them.
      const { createKey } = await import('../supervisor/create-key.js');
      const { name, scope, role, dataDir } = options;
      const created = await createKey({ name, scopes: scope, roles: role, dataDir });
      if (options.json === true) return terminal.json(created);
      terminal.line(created.apiKey);
      terminal.note(terminal.noteColors.dim(`a key to workspace ${created.workspaceId}, shown only this time`));
    });
}
