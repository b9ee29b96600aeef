import type { Command } from 'commander';
import type { Terminal } from '../terminal/terminal.js';

interface CreateOptions {
  name: string;
  scope?: string[];
  json?: boolean;
}

/** API keys of an installation with a database of its own; `start` takes care of its own key. */
export function keysCommand(program: Command, terminal: Terminal): void {
  program
    .command('keys')
    .summary('make API keys')
    .description('Make API keys, with the connection of the database owner.')
    .command('create')
    .summary('make a key')
    .description(
      'Make a key to the default workspace (which is made, too, where it is missing) in the database that ' +
        'DATABASE_OWNER_URL or DATABASE_URL names. The key is shown once; only its hash is stored.',
    )
    .requiredOption('--name <name>', 'what the key is for, 1 to 100 characters')
    .option('--scope <scopes...>', 'what it may do (default: everything)')
    .option('--json', 'print JSON for scripts, and nothing else')
    .addHelpText('after', '\nExamples:\n  $ runledger keys create --name ci --scope jobs:read jobs:write')
    .action(async (options: CreateOptions) => {
      // Only a few commands need the server's libraries; the others are quick without them.
      const { createKey } = await import('../supervisor/create-key.js');
      const created = await createKey(options.name, options.scope);
      if (options.json === true) return terminal.json(created);
      terminal.line(created.apiKey);
      terminal.note(terminal.noteColors.dim(`a key to workspace ${created.workspaceId}, shown only this time`));
    });
}
