import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diff, migrate, rollback, runOwnerSql, status, withOwner } from '#database';
import { createTestDatabase, type TestDatabase } from '#testing';

const PRISMA = join(import.meta.dirname, '../../../prisma');
const ALL = readdirSync(join(PRISMA, 'migrations'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

describe('migrations', () => {
  let database: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
    folder = mkdtempSync(join(tmpdir(), 'runledger-prisma-'));
    cpSync(PRISMA, folder, { recursive: true });
  });

  afterEach(async () => {
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  it('migrates an empty database, and then has nothing to do', async () => {
    expect((await status(database.ownerUrl)).pending).toEqual(ALL);
    expect(await migrate(database.ownerUrl)).toEqual(ALL);
    expect(await migrate(database.ownerUrl)).toEqual([]);
    expect(await status(database.ownerUrl)).toEqual({ applied: ALL, pending: [], failed: [], edited: [], unknown: [] });
    expect(await diff(database.ownerUrl)).toEqual({ drift: false, summary: '' });
  });

  it('goes up and down one by one, each way back leaving what was there before', async () => {
    const states: string[][] = [await everything(database.ownerUrl)];
    for (const [index, name] of ALL.entries()) {
      const part = withMigrations(folder, ALL.slice(0, index + 1));
      expect(await migrateOnly(database.ownerUrl, part)).toEqual([name]);
      states.push(await everything(database.ownerUrl));
    }
    for (const [index, name] of [...ALL.entries()].reverse()) {
      expect(await rollback(database.ownerUrl, { steps: 1 })).toEqual([name]);
      expect(await everything(database.ownerUrl)).toEqual(states[index]);
    }
  });

  it('goes all the way down to an empty database and up again', async () => {
    const before = await everything(database.ownerUrl);
    await migrate(database.ownerUrl);
    expect((await everything(database.ownerUrl)).length).toBeGreaterThan(before.length + 100);
    expect(await rollback(database.ownerUrl, { to: '' })).toEqual([...ALL].reverse());
    expect(await everything(database.ownerUrl)).toEqual(before);
    expect(await migrate(database.ownerUrl)).toEqual(ALL);
    expect((await diff(database.ownerUrl)).summary).toBe('');
  });

  it('goes down to a named migration', async () => {
    await migrate(database.ownerUrl);
    expect(await rollback(database.ownerUrl, { to: ALL[3] ?? '' })).toEqual(ALL.slice(4).reverse());
    await expect(rollback(database.ownerUrl, { to: '20200101000000_never' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect((await status(database.ownerUrl)).applied).toEqual(ALL.slice(0, 4));
  });

  it('takes turns when several processes migrate at once', async () => {
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(database.ownerUrl)));
    expect(applied.filter((names) => names.length > 0)).toEqual([ALL]);
  });

  it('migrates several databases of one server at once, although they share the roles', async () => {
    const others = await Promise.all([1, 2, 3].map(() => createTestDatabase({ empty: true })));
    try {
      const all = await Promise.all([database, ...others].map(({ ownerUrl }) => migrate(ownerUrl)));
      expect(all).toEqual([ALL, ALL, ALL, ALL]);
      await Promise.all(others.map(({ ownerUrl }) => rollback(ownerUrl, { to: '' })));
      // The roles still serve the database that is left.
      await withOwner(database.apiUrl, (client) => client.query('SELECT FROM runner_jobs'));
    } finally {
      await Promise.all(others.map((other) => other.drop()));
    }
  });

  it('leaves nothing of a migration that fails, names it, and goes on once it is repaired', async () => {
    const name = '20991231000000_broken';
    addMigration(folder, name, 'CREATE TABLE half_made (id int); SELECT 1 / 0;');
    const failure = await migrate(database.ownerUrl, { prismaFolder: folder }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining(name) });
    expect(failure).toMatchObject({ message: expect.stringContaining('division by zero') });
    expect(await status(database.ownerUrl, { prismaFolder: folder })).toMatchObject({ applied: ALL, failed: [name] });
    expect(await everything(database.ownerUrl)).not.toContainEqual(expect.stringContaining('half_made'));

    addMigration(folder, name, 'CREATE TABLE half_made (id int);');
    expect(await migrate(database.ownerUrl, { prismaFolder: folder })).toEqual([name]);
  });

  it('refuses a database that is newer, and migrations that were edited', async () => {
    await migrate(database.ownerUrl);
    const older = withMigrations(folder, ALL.slice(0, -1));
    await expect(migrate(database.ownerUrl, { prismaFolder: older })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(ALL.at(-1) ?? '?'),
    });

    cpSync(PRISMA, folder, { recursive: true });
    addMigration(folder, ALL[1] ?? '', 'SELECT 1;');
    await expect(migrate(database.ownerUrl, { prismaFolder: folder })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(ALL[1] ?? '?'),
    });
  });

  it('keeps a migration whose way back fails', async () => {
    await migrate(database.ownerUrl);
    await runOwnerSql(database.ownerUrl, 'CREATE VIEW in_the_way AS SELECT id FROM artifacts');
    await expect(rollback(database.ownerUrl, { to: '' })).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('artifacts'),
    });
    const { applied } = await status(database.ownerUrl);
    expect(applied).toEqual(ALL.slice(0, ALL.findIndex((name) => name.endsWith('_artifacts')) + 1));
  });

  it('says that the database cannot be reached', async () => {
    await expect(migrate('postgres://nobody@127.0.0.1:1/none')).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      retryable: true,
    });
  });

  it('leaves a history that Prisma understands', async () => {
    await migrate(database.ownerUrl);
    await withOwner(database.ownerUrl, async (client) => {
      const { rows } = await client.query(
        'SELECT migration_name, applied_steps_count, length(checksum) AS checksum, logs, rolled_back_at FROM _prisma_migrations ORDER BY 1',
      );
      expect(rows).toEqual(
        ALL.map((name) => ({
          migration_name: name,
          applied_steps_count: 1,
          checksum: 64,
          logs: null,
          rolled_back_at: null,
        })),
      );
    });
  });

  it('finds drift of every kind in the database', async () => {
    await migrate(database.ownerUrl);
    const changes: [sql: string, named: string][] = [
      ['ALTER TABLE runner_jobs ADD COLUMN extra text', 'Added column `extra`'],
      ['DROP INDEX runner_jobs_created_at_idx', '(created_at)'],
      ['DROP INDEX runner_jobs_ready_idx', '[-] index on runner_jobs: CREATE INDEX runner_jobs_ready_idx'],
      [
        'ALTER TABLE runner_jobs DROP CONSTRAINT runner_jobs_priority_check',
        '[-] constraint runner_jobs_priority_check',
      ],
      [
        'ALTER TABLE job_events DISABLE TRIGGER job_events_refuse_delete',
        'EXECUTE FUNCTION runledger_refuse_change(), enabled D',
      ],
      ['ALTER POLICY runner_jobs_api ON runner_jobs USING (true)', '[+] policy runner_jobs_api'],
      [
        'ALTER TABLE artifacts DISABLE ROW LEVEL SECURITY',
        '[+] table artifacts: kind r, persistence p, row security f',
      ],
      ['GRANT DELETE ON job_events TO runledger_worker', '[+] grant DELETE on job_events to runledger_worker'],
      [
        'GRANT UPDATE (revoked_at) ON api_keys TO runledger_api',
        '[+] grant UPDATE on api_keys.revoked_at to runledger_api',
      ],
      [
        'GRANT EXECUTE ON FUNCTION runledger_erase_event_payload(uuid) TO runledger_worker',
        'EXECUTE to runledger_worker',
      ],
      [
        'CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
        '[+] function CREATE OR REPLACE FUNCTION public.extra()',
      ],
      ["ALTER TYPE job_step_type ADD VALUE 'OTHER'", 'OTHER'],
    ];
    for (const [sql] of changes) await runOwnerSql(database.ownerUrl, sql);
    const found = await diff(database.ownerUrl);
    expect(found.drift).toBe(true);
    for (const [, named] of changes) expect(found.summary).toContain(named);
  });

  it('finds drift between the schema files and the migrations', async () => {
    await migrate(database.ownerUrl);
    const path = join(folder, 'schema/runner.prisma');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace('model RunnerJob {', 'model RunnerJob {\n  forgotten String?'),
    );
    const found = await diff(database.ownerUrl, { prismaFolder: folder });
    expect(found).toMatchObject({ drift: true, summary: expect.stringContaining('forgotten') });
  });

  it('leaves no shadow database behind', async () => {
    await migrate(database.ownerUrl);
    await diff(database.ownerUrl);
    await withOwner(database.ownerUrl, async (client) => {
      const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 'runledger_shadow_%'");
      expect(rows).toEqual([]);
    });
  });
});

/** Keeps only these migrations in the folder's copy. */
function withMigrations(folder: string, names: string[]): string {
  for (const name of ALL) rmSync(join(folder, 'migrations', name), { recursive: true, force: true });
  for (const name of names)
    cpSync(join(PRISMA, 'migrations', name), join(folder, 'migrations', name), { recursive: true });
  return folder;
}

function addMigration(folder: string, name: string, sql: string): void {
  cpSync(join(PRISMA, 'migrations', ALL[0] ?? ''), join(folder, 'migrations', name), { recursive: true });
  writeFileSync(join(folder, 'migrations', name, 'migration.sql'), sql);
}

async function migrateOnly(ownerUrl: string, prismaFolder: string): Promise<string[]> {
  return migrate(ownerUrl, { prismaFolder, eventPartitionMonths: 1 });
}

/** Everything that a migration could make, Prisma's own table aside. */
async function everything(ownerUrl: string): Promise<string[]> {
  const lines = await withOwner(ownerUrl, async (client) => {
    const { rows } = await client.query<{ line: string }>(`
      WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = 'public' OR nspname LIKE 'runledger%')
      SELECT line FROM (
        SELECT format('schema %s %s', nspname, nspacl) AS line FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)
        UNION ALL SELECT format('relation %s %s %s %s %s', relname, relkind, relacl, relrowsecurity, reloptions) FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT format('column %s.%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attacl)
          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace IN (SELECT oid FROM ours) AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT format('trigger %s on %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT format('policy %s on %s', polname, polrelid::regclass) FROM pg_policy
        UNION ALL SELECT format('function %s %s', oid::regprocedure, proacl) FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT format('type %s', typname) FROM pg_type WHERE typnamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT format('extension %s', extname) FROM pg_extension
        UNION ALL SELECT format('event trigger %s', evtname) FROM pg_event_trigger
      ) AS found WHERE line NOT LIKE '%\\_prisma\\_migrations%' ORDER BY line`);
    return rows.map((row) => row.line);
  });
  // A grant that is taken back turns "no entry" into the entry of the owner alone, which means the same.
  return lines.map((line) => line.replace(/ \{runledger_owner=[a-zA-Z]*\/runledger_owner\}/, ' '));
}
