import pg from 'pg';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import { fillTenant, HASH, insertEvent, insertJob } from './rows.js';

const APPEND_ONLY = { code: '23001', message: expect.stringContaining('append-only') };
const PERMISSION_DENIED = { code: '42501', message: expect.stringContaining('permission denied') };
const OWNER_ONLY = { code: '42501', message: expect.stringContaining('must be owner') };

let database: TestDatabase;
let owner: pg.Client;
let api: pg.Client;
let worker: pg.Client;
let tenant: Awaited<ReturnType<typeof fillTenant>>;

beforeAll(async () => {
  database = await createTestDatabase();
  [owner, api, worker] = [database.ownerUrl, database.apiUrl, database.workerUrl].map(
    (connectionString) => new pg.Client({ connectionString }),
  ) as [pg.Client, pg.Client, pg.Client];
  await Promise.all([owner, api, worker].map((client) => client.connect()));
  tenant = await fillTenant(owner);
  await api.query("SELECT set_config('runledger.workspace_id', $1, false)", [tenant.workspaceId]);
});

afterAll(async () => {
  await Promise.all([owner, api, worker].map((client) => client.end()));
  await database.drop();
});

/** Every way to change or remove a row of an append-only table. */
function attacks(table: string, id: string, column: string): [name: string, sql: string][] {
  return [
    ['UPDATE', `UPDATE ${table} SET ${column} = 'x'`],
    ['UPDATE of nothing but itself', `UPDATE ${table} SET ${column} = ${column}`],
    ['DELETE', `DELETE FROM ${table}`],
    // With CASCADE, or the series that point to artifacts would be in the way before any trigger.
    ['TRUNCATE', `TRUNCATE ${table} CASCADE`],
    ['TRUNCATE CASCADE of the jobs', `TRUNCATE runner_jobs CASCADE`],
    [
      'ON CONFLICT DO UPDATE',
      `INSERT INTO ${table} SELECT * FROM ${table} ON CONFLICT (${table === 'job_events' ? 'id, job_id' : 'id'}) DO UPDATE SET ${column} = 'x'`,
    ],
    [
      'MERGE UPDATE',
      `MERGE INTO ${table} t USING (SELECT '${id}'::uuid AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET ${column} = 'x'`,
    ],
    [
      'MERGE DELETE',
      `MERGE INTO ${table} t USING (SELECT '${id}'::uuid AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE`,
    ],
    ['a CTE', `WITH gone AS (DELETE FROM ${table} RETURNING 1) SELECT count(*) FROM gone`],
  ];
}

function idOf(table: keyof typeof COLUMNS): string {
  const { eventId, artifactId, decisionId } = tenant;
  return { job_events: eventId, artifacts: artifactId, approval_decisions: decisionId }[table];
}

async function snapshot(): Promise<unknown> {
  const events = await owner.query('SELECT * FROM job_events ORDER BY id');
  const artifacts = await owner.query('SELECT * FROM artifacts ORDER BY id');
  const decisions = await owner.query('SELECT * FROM approval_decisions ORDER BY id');
  return { events: events.rows, artifacts: artifacts.rows, decisions: decisions.rows };
}

/** A column of text of each append-only table. */
const COLUMNS = { job_events: 'type', artifacts: 'path', approval_decisions: 'comment' };

describe.each(['job_events', 'artifacts', 'approval_decisions'] as const)('%s', (table) => {
  const column = COLUMNS[table];
  const names = attacks(table, '', column).map(([name]) => name);
  const sqlOf = (name: string): string => new Map(attacks(table, idOf(table), column)).get(name) ?? 'missing';

  it.each(names)('refuses %s to the runtime roles', async (name) => {
    const before = await snapshot();
    await expect(api.query(sqlOf(name))).rejects.toMatchObject(PERMISSION_DENIED);
    await expect(worker.query(sqlOf(name))).rejects.toMatchObject(PERMISSION_DENIED);
    expect(await snapshot()).toEqual(before);
  });

  it.each(names)('refuses %s to the owner, by its triggers', async (name) => {
    const before = await snapshot();
    await expect(owner.query(sqlOf(name))).rejects.toMatchObject(APPEND_ONLY);
    expect(await snapshot()).toEqual(before);
  });

  it('refuses also while a session has switched ordinary triggers off', async () => {
    await owner.query('SET session_replication_role = replica');
    try {
      await expect(owner.query(`DELETE FROM ${table}`)).rejects.toMatchObject(APPEND_ONLY);
      await expect(owner.query(`UPDATE ${table} SET ${column} = 'x'`)).rejects.toMatchObject(APPEND_ONLY);
      await expect(owner.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject(APPEND_ONLY);
    } finally {
      await owner.query('RESET session_replication_role');
    }
  });

  it('lets no runtime role touch its triggers, its policies, or itself', async () => {
    for (const client of [api, worker]) {
      for (const sql of [
        `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
        `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`,
        `ALTER TABLE ${table} OWNER TO CURRENT_USER`,
        `DROP TABLE ${table}`,
        `DROP TRIGGER ${table}_refuse_truncate ON ${table}`,
      ]) {
        await expect(client.query(sql)).rejects.toMatchObject(OWNER_ONLY);
      }
      await expect(client.query('SET session_replication_role = replica')).rejects.toMatchObject(PERMISSION_DENIED);
      await expect(client.query('CREATE TABLE mine (id int)')).rejects.toMatchObject(PERMISSION_DENIED);
      await expect(client.query('CREATE TABLE runledger_partitions.mine (id int)')).rejects.toMatchObject(
        PERMISSION_DENIED,
      );
      await expect(client.query('SET ROLE runledger_owner')).rejects.toMatchObject(PERMISSION_DENIED);
    }
  });
});

describe('artifact_series', () => {
  const COUNTS_UP = { code: '23001', message: expect.stringContaining('only counts up, by one') };
  const changes = [
    'latest_version = latest_version',
    'latest_version = latest_version + 2',
    'latest_version = latest_version - 1',
    'latest_artifact_id = latest_artifact_id',
    "latest_version = latest_version + 1, kind = 'other'",
    "latest_version = latest_version + 1, logical_key = 'other'",
    'latest_version = latest_version + 1, project_id = gen_random_uuid()',
    'latest_version = latest_version + 1, workspace_id = gen_random_uuid()',
    'latest_version = latest_version + 1, id = gen_random_uuid()',
  ];

  it.each(changes)('refuses %s to the worker and the owner', async (change) => {
    for (const client of [worker, owner])
      await expect(client.query(`UPDATE artifact_series SET ${change}`)).rejects.toMatchObject(COUNTS_UP);
    await expect(api.query(`UPDATE artifact_series SET ${change}`)).rejects.toMatchObject(PERMISSION_DENIED);
  });

  it('forgets no series', async () => {
    for (const sql of ['DELETE FROM artifact_series', 'TRUNCATE artifact_series']) {
      for (const client of [api, worker]) await expect(client.query(sql)).rejects.toMatchObject(PERMISSION_DENIED);
      await expect(owner.query(sql)).rejects.toMatchObject(COUNTS_UP);
      await owner.query('SET session_replication_role = replica');
      await expect(owner.query(sql)).rejects.toMatchObject(COUNTS_UP);
      await owner.query('RESET session_replication_role');
    }
  });
});

it('goes with no parent: jobs, steps and workspaces that have events cannot be deleted', async () => {
  for (const sql of [`DELETE FROM runner_jobs`, `DELETE FROM job_steps`, `DELETE FROM workspaces`]) {
    await expect(api.query(sql)).rejects.toMatchObject(PERMISSION_DENIED);
    await expect(worker.query(sql)).rejects.toMatchObject(PERMISSION_DENIED);
    // RESTRICT reports 23001, NO ACTION 23503.
    await expect(owner.query(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(23503|23001)$/) });
  }
});

it('refuses through a partition as through the parent', async () => {
  const { rows } = await owner.query<{ name: string; rows: number }>(
    "SELECT inhrelid::regclass::text AS name, (SELECT count(*)::int FROM job_events WHERE tableoid = inhrelid) AS rows FROM pg_inherits WHERE inhparent = 'job_events'::regclass",
  );
  expect(rows.map((row) => row.name)).toContain('runledger_partitions.job_events_default');
  // The event of a job made now is in this month's partition.
  const filled = rows.filter((row) => row.rows > 0).map((row) => row.name);
  expect(filled).toEqual([expect.stringMatching(/^runledger_partitions\.job_events_\d{4}_\d{2}$/)]);
  for (const { name } of rows) {
    await expect(owner.query(`TRUNCATE ${name}`)).rejects.toMatchObject(APPEND_ONLY);
    for (const client of [api, worker]) {
      await expect(client.query(`SELECT FROM ${name}`)).rejects.toMatchObject(PERMISSION_DENIED);
      await expect(client.query(`TRUNCATE ${name}`)).rejects.toMatchObject(PERMISSION_DENIED);
    }
  }
  await expect(owner.query(`UPDATE ${filled[0]} SET type = 'x'`)).rejects.toMatchObject(APPEND_ONLY);
  await expect(owner.query(`DELETE FROM ${filled[0]}`)).rejects.toMatchObject(APPEND_ONLY);
});

it('creates partitions ahead, once, and leaves a month to the default partition that has it already', async () => {
  const month = async (ahead: number): Promise<string> =>
    (
      await owner.query<{ name: string }>(
        "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => $1), 'YYYY_MM') AS name",
        [ahead],
      )
    ).rows[0]?.name ?? '';
  const partitionOf = async (id: string): Promise<unknown> =>
    (await owner.query('SELECT tableoid::regclass::text AS name FROM job_events WHERE id = $1', [id])).rows[0];
  // An id of the month after next, whose partition does not exist yet: version 7, the time in the first 48 bits.
  const { rows } = await owner.query<{ id: string }>(
    "SELECT overlay(runledger_uuid_at(date_trunc('month', now()) + interval '2 months 9 days')::text placing '7' from 15 for 1)::uuid AS id",
  );
  const jobId = await insertJob(owner, tenant.workspaceId, { id: rows[0]?.id });
  const early = await insertEvent(owner, tenant.workspaceId, rows[0]?.id ?? jobId);
  expect(await partitionOf(early)).toEqual({ name: 'runledger_partitions.job_events_default' });

  const create = async (ahead: number): Promise<unknown> =>
    (await owner.query('SELECT runledger_create_event_partitions($1) AS made', [ahead])).rows[0];
  expect(await create(3)).toEqual({ made: 1 });
  expect(await create(3)).toEqual({ made: 0 });
  const made = await owner.query('SELECT relname FROM pg_class WHERE relname IN ($1, $2)', [
    `job_events_${await month(2)}`,
    `job_events_${await month(3)}`,
  ]);
  expect(made.rows).toEqual([{ relname: `job_events_${await month(3)}` }]);
  await expect(owner.query(`TRUNCATE runledger_partitions.job_events_${await month(3)}`)).rejects.toMatchObject(
    APPEND_ONLY,
  );
  for (const client of [api, worker])
    await expect(client.query('SELECT runledger_create_event_partitions(1)')).rejects.toMatchObject(PERMISSION_DENIED);
});

describe('erasing a payload', () => {
  it('changes the payload and the time of erasure, and nothing else', async () => {
    const jobId = await insertJob(owner, tenant.workspaceId);
    const id = await insertEvent(owner, tenant.workspaceId, jobId);
    const read = async (): Promise<Record<string, unknown>> =>
      (await owner.query<Record<string, unknown>>('SELECT * FROM job_events WHERE id = $1', [id])).rows[0] ?? {};
    const before = await read();
    expect(before).toMatchObject({ payload: { secret: 'x' }, payload_erased_at: null });

    const erase = async (): Promise<unknown> =>
      (await owner.query('SELECT runledger_erase_event_payload($1) AS erased', [id])).rows[0];
    expect(await erase()).toEqual({ erased: true });
    expect(await read()).toEqual({ ...before, payload: null, payload_erased_at: expect.any(Date) });
    expect(await erase()).toEqual({ erased: false });
    expect((await owner.query('SELECT runledger_erase_event_payload($1) AS erased', [newId()])).rows).toEqual([
      { erased: false },
    ]);
  });

  it('is for the owner alone', async () => {
    for (const client of [api, worker]) {
      await expect(client.query('SELECT runledger_erase_event_payload($1)', [tenant.eventId])).rejects.toMatchObject(
        PERMISSION_DENIED,
      );
    }
  });

  it('opens no other door: with its setting forged, nothing but an erasure passes', async () => {
    const jobId = await insertJob(owner, tenant.workspaceId);
    const id = await insertEvent(owner, tenant.workspaceId, jobId);
    await owner.query("SELECT set_config('runledger.erasing_event', $1, false)", [id]);
    try {
      const forged = [
        'payload = NULL',
        `payload = NULL, payload_erased_at = now(), hash = '${HASH.replace('a', 'b')}'`,
        "payload = NULL, payload_erased_at = now(), type = 'x'",
        "payload = '{}'",
        "payload = '{}', payload_erased_at = now()",
      ];
      for (const change of forged)
        await expect(owner.query(`UPDATE job_events SET ${change} WHERE id = $1`, [id])).rejects.toMatchObject(
          APPEND_ONLY,
        );
      await expect(
        owner.query('UPDATE job_events SET payload = NULL, payload_erased_at = now() WHERE id = $1', [tenant.eventId]),
      ).rejects.toMatchObject(APPEND_ONLY);
      await expect(owner.query('DELETE FROM job_events WHERE id = $1', [id])).rejects.toMatchObject(APPEND_ONLY);
    } finally {
      await owner.query('RESET runledger.erasing_event');
    }
  });
});
