import { InvalidArgumentError, type Command } from 'commander';
import { childEnvironment, loadConfig } from '#config';
import { diff, rollback, startEmbeddedPostgres, status } from '#database';
import { dataDirOption } from '../connect.js';
import { EXIT, ExitWith } from '../failure.js';
import { migrateEverything } from '../supervisor/local-database.js';
import type { Terminal } from '../terminal/terminal.js';

interface DbOptions {
  dataDir: string;
  json?: boolean;
}

/** What a sub-command found: the document for scripts, the text for people, and whether all is well. */
interface Answer {
  json: unknown;
  text: string;
  fine?: boolean;
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
  const run = async (options: DbOptions, work: (ownerUrl: string) => Promise<Answer>): Promise<void> => {
    const { json, text, fine = true } = await withDatabase(options, work);
    if (options.json === true) terminal.json(json);
    else terminal.line(text);
    if (!fine) throw new ExitWith(EXIT.failed);
  };

  sub('migrate', 'Apply what is pending: our migrations and those of the queue.').action((options: DbOptions) =>
    run(options, migrateAnswer),
  );
  sub('status', 'Compare the database with the migrations on disk. The exit code is 1 if they differ.').action(
    (options: DbOptions) => run(options, statusAnswer),
  );
  sub('diff', 'Compare the schema, the migrations and the database. The exit code is 1 if they differ.').action(
    (options: DbOptions) => run(options, diffAnswer),
  );
  sub('rollback', 'Take migrations back, newest first.')
    .option('-n, --steps <number>', 'how many', parseSteps, 1)
    .option('--to <migration>', 'take back everything after this migration')
    .action((options: DbOptions & { steps: number; to?: string }) =>
      run(options, (url) =>
        rollbackAnswer(url, options.to === undefined ? { steps: options.steps } : { to: options.to }),
      ),
    );
}

async function migrateAnswer(ownerUrl: string): Promise<Answer> {
  const applied = await migrateEverything(ownerUrl);
  return {
    json: { applied },
    text: applied.length === 0 ? 'The database is up to date.' : `Applied:\n${indent(applied)}`,
  };
}

async function statusAnswer(ownerUrl: string): Promise<Answer> {
  const found = await status(ownerUrl);
  const fine = [found.pending, found.failed, found.edited, found.unknown].every((names) => names.length === 0);
  const parts = Object.entries(found).filter(([, names]) => names.length > 0);
  return { json: found, text: parts.map(([what, names]) => `${what}:\n${indent(names)}`).join('\n'), fine };
}

async function diffAnswer(ownerUrl: string): Promise<Answer> {
  const { drift, summary } = await diff(ownerUrl);
  const text = drift ? summary : 'No drift: the database, the migrations and the schema agree.';
  return { json: { drift, summary }, text, fine: !drift };
}

async function rollbackAnswer(ownerUrl: string, target: { steps: number } | { to: string }): Promise<Answer> {
  const takenBack = await rollback(ownerUrl, target);
  const text = takenBack.length === 0 ? 'There is nothing to take back.' : `Taken back:\n${indent(takenBack)}`;
  return { json: { takenBack }, text };
}

async function withDatabase(options: DbOptions, work: (ownerUrl: string) => Promise<Answer>): Promise<Answer> {
  const config = loadConfig(childEnvironment({ DATA_DIR: options.dataDir }));
  if (config.database.ownerUrl !== undefined) return work(config.database.ownerUrl);
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir });
  try {
    return await work(server.ownerUrl);
  } finally {
    await server.stop();
  }
}

function indent(names: string[]): string {
  return names.map((name) => `  ${name}`).join('\n');
}

function parseSteps(text: string): number {
  const steps = Number(text);
  if (!Number.isInteger(steps) || steps < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return steps;
}
