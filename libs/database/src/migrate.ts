import type pg from 'pg';
import { AppError, messageOf } from '#kernel';
import { readDownScript, readPrismaFiles } from './migration-files.js';
import { withOwner } from './owner-client.js';
import { withSchemaEngine } from './schema-engine.js';

/** Any constant; every migrating process of a database takes the same advisory lock. */
const MIGRATION_LOCK = 7_236_981_042;
const NO_FILTERS = { externalTables: [], externalEnums: [] };

export interface MigrateOptions {
  /** Another `prisma` folder than the installation's own. */
  prismaFolder?: string;
  /** Months for which partitions of the ledger are made ahead. */
  eventPartitionMonths?: number;
}

export interface MigrationStatus {
  applied: string[];
  pending: string[];
  /** Started and not finished: their SQL was rolled back, the next `migrate` tries them again. */
  failed: string[];
  /** Applied, and changed on disk since. */
  edited: string[];
  /** Applied, but not on disk: the database is newer than this checkout. */
  unknown: string[];
}

/**
 * Applies what is pending, through Prisma's own engine. Safe when several processes start at once: they take turns.
 * @returns the names of the migrations that were applied
 * @throws AppError DATABASE_UNAVAILABLE when the database cannot be reached; INTERNAL naming the migration that failed
 */
export async function migrate(ownerUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const files = readPrismaFiles(options.prismaFolder);
  return withMigrationLock(ownerUrl, async (client) => {
    const before = await readStatus(ownerUrl, client, options.prismaFolder);
    refuseStrangeHistory(before);
    const applied =
      before.pending.length + before.failed.length === 0
        ? []
        : await withSchemaEngine(ownerUrl, files, async (engine) => {
            // Each migration is one transaction: a failed one has left nothing behind and may be tried again.
            for (const migrationName of before.failed) await engine.markMigrationRolledBack({ migrationName });
            try {
              const result = await engine.applyMigrations({ migrationsList: files.migrations, filters: NO_FILTERS });
              return result.appliedMigrationNames;
            } catch (error) {
              throw migrationFailed(error);
            }
          });
    await createEventPartitions(client, options.eventPartitionMonths ?? 3);
    return applied;
  });
}

/** The engine's message goes on with a trace of its own functions; in it is the name of the migration. */
function migrationFailed(error: unknown): AppError {
  const text = messageOf(error);
  const name = /migration_name="([^"]+)"/.exec(text)?.[1];
  const said = text
    .split(/\n\s*0: /)[0]
    ?.replace('external connector error\n', '')
    .replace('Error querying the database: ', '');
  const what =
    name === undefined ? 'migrating the database failed' : `migration ${name} failed and left nothing behind`;
  return new AppError('INTERNAL', `${what}: ${said?.trim()}`, { cause: error });
}

/** How the database stands against the migrations on disk. Changes nothing. */
export async function status(ownerUrl: string, options: MigrateOptions = {}): Promise<MigrationStatus> {
  return withOwner(ownerUrl, (client) => readStatus(ownerUrl, client, options.prismaFolder));
}

/**
 * Takes migrations back, newest first, each in a transaction together with its row in `_prisma_migrations`.
 * @param target how many, or the name of the migration that is to be the last one standing (`''`: none)
 * @returns the names of the migrations that were taken back
 */
export async function rollback(
  ownerUrl: string,
  target: { steps: number } | { to: string },
  options: MigrateOptions = {},
): Promise<string[]> {
  const files = readPrismaFiles(options.prismaFolder);
  return withMigrationLock(ownerUrl, async (client) => {
    const applied = await appliedNames(client);
    const names = applied.slice(firstToTakeBack(applied, target)).reverse();
    const scripts = names.map((name) => {
      const script = readDownScript(files.migrations.baseDir, name);
      if (script === undefined)
        throw new AppError('CONFLICT', `migration ${name} has no down.sql; nothing was taken back`);
      return { name, script };
    });
    for (const { name, script } of scripts) await takeBack(client, name, script);
    return names;
  });
}

function firstToTakeBack(applied: string[], target: { steps: number } | { to: string }): number {
  if ('steps' in target) return Math.max(0, applied.length - target.steps);
  if (target.to === '') return 0;
  const index = applied.indexOf(target.to);
  if (index === -1)
    throw new AppError('NOT_FOUND', `migration ${target.to} is not applied; applied: ${applied.join(', ') || 'none'}`);
  return index + 1;
}

async function takeBack(client: pg.Client, name: string, script: string): Promise<void> {
  try {
    await client.query('BEGIN');
    await client.query(script);
    await client.query('DELETE FROM _prisma_migrations WHERE migration_name = $1', [name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new AppError('INTERNAL', `taking back migration ${name} failed, it is still applied: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readStatus(ownerUrl: string, client: pg.Client, prismaFolder?: string): Promise<MigrationStatus> {
  const files = readPrismaFiles(prismaFolder);
  const onDisk = files.migrations.migrationDirectories.map((directory) => directory.path);
  const applied = await appliedNames(client);
  const diagnosis =
    applied === undefined
      ? undefined
      : await withSchemaEngine(ownerUrl, files, (engine) =>
          engine.diagnoseMigrationHistory({
            migrationsList: files.migrations,
            optInToShadowDatabase: false,
            filters: NO_FILTERS,
          }),
        );
  const failed = diagnosis?.failedMigrationNames ?? [];
  return {
    applied,
    pending: onDisk.filter((name) => !applied.includes(name) && !failed.includes(name)),
    failed,
    // One that failed may be repaired.
    edited: (diagnosis?.editedMigrationNames ?? []).filter((name) => !failed.includes(name)),
    unknown: applied.filter((name) => !onDisk.includes(name)),
  };
}

function refuseStrangeHistory(found: MigrationStatus): void {
  if (found.unknown.length > 0) {
    throw new AppError(
      'CONFLICT',
      `the database is newer than this version of Runledger (${found.unknown.join(', ')}): start the newer version, or roll back with it first`,
    );
  }
  if (found.edited.length > 0) {
    throw new AppError(
      'CONFLICT',
      `migrations were edited after they had been applied: ${found.edited.join(', ')}; restore them and add a new migration instead`,
    );
  }
}

/** Names of the applied migrations, oldest first; none when the database has never been migrated. */
async function appliedNames(client: pg.Client): Promise<string[]> {
  const table = await client.query<{ found: boolean }>("SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found");
  if (table.rows[0]?.found !== true) return [];
  const { rows } = await client.query<{ name: string }>(
    'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name',
  );
  return rows.map((row) => row.name);
}

async function createEventPartitions(client: pg.Client, months: number): Promise<void> {
  // There is none yet where only the first migrations were applied.
  const found = await client.query(
    "SELECT WHERE to_regprocedure('runledger_create_event_partitions(integer)') IS NOT NULL",
  );
  if (found.rowCount === 1) await client.query('SELECT runledger_create_event_partitions($1)', [months]);
}

/** One migrating process at a time; the others wait, up to two minutes. */
async function withMigrationLock<Result>(
  ownerUrl: string,
  run: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  return withOwner(ownerUrl, async (client) => {
    await client.query("SET lock_timeout = '120s'");
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query('RESET lock_timeout');
    // Ending the connection releases the lock.
    return run(client);
  });
}
