import { InvalidArgumentError, type Command } from 'commander';
import { childEnvironment, loadConfig } from '#config';
import { dataDirOption } from '../connect.js';
import { EXIT, ExitWith } from '../failure.js';
import type { SchemaAction } from '../supervisor/schema-actions.js';
import type { Terminal } from '../terminal/terminal.js';

interface DbOptions {
  dataDir: string;
  json?: boolean;
}

/** The schema of the database: for people who run or develop Runledger. */
export function dbCommand(program: Command, terminal: Terminal): void {
  const db = program
    .command('db')
    .summary('migrate the database')
    .description(
      'Migrate the database that DATABASE_OWNER_URL or DATABASE_URL names, or else the embedded one (which must not be running).',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger db status\n  $ DATABASE_OWNER_URL=postgres://... runledger db migrate',
    );
  const sub = (name: string, description: string): Command =>
    db
      .command(name)
      .description(description)
      .addOption(dataDirOption())
      .option('--json', 'print JSON for scripts, and nothing else');
  const run = async (options: DbOptions, action: SchemaAction): Promise<void> => {
    // Only a few commands need the server's libraries; the others are quick without them.
    const { runSchemaAction } = await import('../supervisor/schema-actions.js');
    const config = loadConfig(childEnvironment({ DATA_DIR: options.dataDir }));
    const { json, text, fine } = await runSchemaAction(config, action);
    if (options.json === true) terminal.json(json);
    else terminal.line(text);
    if (!fine) throw new ExitWith(EXIT.failed);
  };

  sub('migrate', 'Apply what is pending: our migrations and those of the queue.').action((options: DbOptions) =>
    run(options, { kind: 'migrate' }),
  );
  sub('status', 'Compare the database with the migrations on disk. The exit code is 1 if they differ.').action(
    (options: DbOptions) => run(options, { kind: 'status' }),
  );
  sub('diff', 'Compare the schema, the migrations and the database. The exit code is 1 if they differ.').action(
    (options: DbOptions) => run(options, { kind: 'diff' }),
  );
  sub('rollback', 'Take migrations back, newest first.')
    .option('-n, --steps <number>', 'how many', parseSteps, 1)
    .option('--to <migration>', 'take back everything after this migration')
    .action((options: DbOptions & { steps: number; to?: string }) =>
      run(options, {
        kind: 'rollback',
        target: options.to === undefined ? { steps: options.steps } : { to: options.to },
      }),
    );
}

function parseSteps(text: string): number {
  const steps = Number(text);
  if (!Number.isInteger(steps) || steps < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return steps;
}
