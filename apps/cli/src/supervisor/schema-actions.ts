import { makeDataFolder, type Config } from '#config';
import { diff, rollback, startEmbeddedPostgres, status } from '#database';
import { assertNever } from '#kernel';
import { migrateEverything, namingOwner } from './local-database.js';

export type SchemaAction =
  { kind: 'migrate' | 'status' | 'diff' } | { kind: 'rollback'; target: { steps: number } | { to: string } };

/** What an action found: the document for scripts, the text for people, and whether all is well. */
export interface Answer {
  json: unknown;
  text: string;
  fine: boolean;
}

/** Runs the action as the owner of the configured database, or of the embedded one, which is started for it. */
export async function runSchemaAction(config: Config, action: SchemaAction): Promise<Answer> {
  const { ownerUrl } = config.database;
  if (ownerUrl !== undefined) return namingOwner(config, () => run(ownerUrl, action));
  await makeDataFolder(config.dataDir);
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir });
  try {
    return await run(server.ownerUrl, action);
  } finally {
    await server.stop();
  }
}

function run(ownerUrl: string, action: SchemaAction): Promise<Answer> {
  switch (action.kind) {
    case 'migrate':
      return migrateAnswer(ownerUrl);
    case 'status':
      return statusAnswer(ownerUrl);
    case 'diff':
      return diffAnswer(ownerUrl);
    case 'rollback':
      return rollbackAnswer(ownerUrl, action.target);
    default:
      return assertNever(action);
  }
}

async function migrateAnswer(ownerUrl: string): Promise<Answer> {
  const applied = await migrateEverything(ownerUrl);
  return {
    json: { applied },
    fine: true,
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
  return { json: { takenBack }, text, fine: true };
}

function indent(names: string[]): string {
  return names.map((name) => `  ${name}`).join('\n');
}
