import pg from 'pg';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import {
  fillTenant,
  insertApiKey,
  insertEvent,
  insertJob,
  insertJobSecret,
  insertStep,
  insertWorkspace,
  HASH,
} from './rows.js';

const REFUSED_BY_POLICY = { code: '42501', message: expect.stringContaining('row-level security') };
const KEPT = { code: '23001', message: expect.stringContaining('its history is append-only') };
const PERMISSION_DENIED = { code: '42501', message: expect.stringContaining('permission denied') };

let database: TestDatabase;
let owner: pg.Client;
let api: pg.Client;
let worker: pg.Client;
let tenantTables: string[];
let mine: Awaited<ReturnType<typeof fillTenant>>;
let theirs: Awaited<ReturnType<typeof fillTenant>>;

beforeAll(async () => {
  database = await createTestDatabase();
  [owner, api, worker] = [database.ownerUrl, database.apiUrl, database.workerUrl].map(
    (connectionString) => new pg.Client({ connectionString }),
  ) as [pg.Client, pg.Client, pg.Client];
  await Promise.all([owner, api, worker].map((client) => client.connect()));
  mine = await fillTenant(owner);
  theirs = await fillTenant(owner);
  const { rows } = await owner.query<{ name: string }>(
    "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attname = 'workspace_id' AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1",
  );
  tenantTables = rows.map((row) => row.name);
});

afterAll(async () => {
  await Promise.all([owner, api, worker].map((client) => client.end()));
  await database.drop();
});

/** Runs as the API does: in a transaction that names a workspace, or none; always rolled back. */
async function asApi<Result>(workspaceId: string | null, run: () => Promise<Result>): Promise<Result> {
  await api.query('BEGIN');
  try {
    if (workspaceId !== null) await api.query("SELECT set_config('runledger.workspace_id', $1, true)", [workspaceId]);
    return await run();
  } finally {
    await api.query('ROLLBACK');
  }
}

it('knows every table of a tenant', () => {
  expect(tenantTables).toEqual([
    'admission_keys',
    'api_keys',
    'approval_decisions',
    'approvals',
    'artifact_series',
    'artifacts',
    'checkpoints',
    'job_events',
    'job_secrets',
    'job_steps',
    'job_terms',
    'runner_jobs',
    'sandbox_jobs',
    'schedules',
    'transcript_chunks',
  ]);
});

it('protects every table that carries a workspace_id, in every schema of ours, by the one rule for the API', async () => {
  const { rows } = await owner.query(`
    SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') AND (NOT c.relrowsecurity
      OR NOT c.relispartition AND NOT EXISTS (
        SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles = ARRAY['runledger_api'::regrole::oid] AND p.polcmd = '*'
          AND pg_get_expr(p.polqual, c.oid) = '(workspace_id = (NULLIF(current_setting(''runledger.workspace_id''::text, true), ''''::text))::uuid)')
      OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname NOT IN (c.relname || '_api', c.relname || '_worker')))`);
  expect(rows).toEqual([]);
});

/** What the API only writes, or has nothing to do with. */
const HIDDEN_FROM_API = ['admission_keys', 'checkpoints', 'job_secrets'];

it('shows the API nothing outside of a tenant, and only its own inside', async () => {
  for (const table of HIDDEN_FROM_API) {
    const look = (): Promise<pg.QueryResult> => api.query(`SELECT FROM ${table}`);
    await expect(asApi(mine.workspaceId, look)).rejects.toMatchObject(PERMISSION_DENIED);
  }
  for (const table of tenantTables.filter((name) => !HIDDEN_FROM_API.includes(name))) {
    const workspaces = async (): Promise<unknown[]> =>
      (await api.query(`SELECT DISTINCT workspace_id FROM ${table}`)).rows;
    expect([table, await asApi(null, workspaces)]).toEqual([table, []]);
    expect([table, await asApi(mine.workspaceId, workspaces)]).toEqual([table, [{ workspace_id: mine.workspaceId }]]);
    expect([table, await asApi(newId(), workspaces)]).toEqual([table, []]);
  }
  const own = async (): Promise<unknown[]> => (await api.query('SELECT id FROM workspaces')).rows;
  expect(await asApi(null, own)).toEqual([]);
  expect(await asApi(mine.workspaceId, own)).toEqual([{ id: mine.workspaceId }]);
});

it('forgets the tenant with the transaction', async () => {
  await asApi(mine.workspaceId, async () => undefined);
  expect((await api.query('SELECT FROM runner_jobs')).rowCount).toBe(0);
});

it('shows the worker every tenant', async () => {
  for (const table of tenantTables.filter((name) => name !== 'api_keys')) {
    const { rows } = await worker.query(`SELECT DISTINCT workspace_id FROM ${table} ORDER BY 1`);
    expect(rows.map((row: { workspace_id: string }) => row.workspace_id)).toEqual(
      [mine.workspaceId, theirs.workspaceId].sort(),
    );
  }
  await expect(worker.query('SELECT FROM api_keys')).rejects.toMatchObject(PERMISSION_DENIED);
});

it('lets the API write for its tenant only', async () => {
  await asApi(mine.workspaceId, async () => {
    const jobId = await insertJob(api, mine.workspaceId);
    await insertStep(api, mine.workspaceId, jobId);
    await insertEvent(api, mine.workspaceId, jobId);
    await insertJobSecret(api, mine.workspaceId, jobId);
  });
  await expect(
    asApi(mine.workspaceId, () => insertJobSecret(api, theirs.workspaceId, theirs.jobId)),
  ).rejects.toMatchObject(REFUSED_BY_POLICY);
  await expect(asApi(mine.workspaceId, () => insertJob(api, theirs.workspaceId))).rejects.toMatchObject(
    REFUSED_BY_POLICY,
  );
  await expect(asApi(null, () => insertJob(api, mine.workspaceId))).rejects.toMatchObject(REFUSED_BY_POLICY);
  await expect(
    asApi(mine.workspaceId, () => insertEvent(api, theirs.workspaceId, theirs.jobId, { seq: 2, prev_hash: HASH })),
  ).rejects.toMatchObject(REFUSED_BY_POLICY);
  // What happens to a job once it is there is the workers' business.
  const touch = (): Promise<pg.QueryResult> => api.query('UPDATE runner_jobs SET priority = 1');
  await expect(asApi(mine.workspaceId, touch)).rejects.toMatchObject(PERMISSION_DENIED);
});

it('lets no job or step change its identity, not even by the worker', async () => {
  for (const change of [`workspace_id = '${theirs.workspaceId}'`, `id = gen_random_uuid()`]) {
    await expect(worker.query(`UPDATE runner_jobs SET ${change} WHERE id = '${mine.jobId}'`)).rejects.toMatchObject(
      KEPT,
    );
    await expect(worker.query(`UPDATE job_steps SET ${change} WHERE job_id = '${mine.jobId}'`)).rejects.toMatchObject(
      KEPT,
    );
  }
});

it('grants each role what it needs and no more', async () => {
  const { rows } = await owner.query<{ grant: string }>(`
    SELECT format('%s %s: %s', grantee::regrole, relname, string_agg(privilege_type, ' ' ORDER BY privilege_type)) AS "grant"
    FROM pg_class, aclexplode(relacl) WHERE relnamespace::regnamespace::text IN ('public', 'runledger_partitions') AND grantee <> relowner
    GROUP BY grantee, relname ORDER BY 1`);
  expect(rows.map((row) => row.grant)).toEqual([
    'runledger_api api_keys: SELECT',
    'runledger_api approval_decisions: INSERT SELECT',
    'runledger_api approvals: SELECT',
    'runledger_api artifact_series: SELECT',
    'runledger_api artifacts: SELECT',
    'runledger_api job_events: INSERT SELECT',
    'runledger_api job_secrets: INSERT',
    'runledger_api job_steps: INSERT SELECT',
    'runledger_api job_terms: INSERT SELECT',
    'runledger_api runner_jobs: INSERT SELECT',
    'runledger_api sandbox_jobs: SELECT',
    'runledger_api schedules: DELETE INSERT SELECT',
    'runledger_api transcript_chunks: SELECT',
    'runledger_api workers: SELECT',
    'runledger_api workspaces: SELECT',
    'runledger_worker admission_keys: DELETE INSERT SELECT UPDATE',
    'runledger_worker approval_decisions: SELECT',
    'runledger_worker approvals: INSERT SELECT',
    'runledger_worker artifact_series: INSERT SELECT UPDATE',
    'runledger_worker artifacts: INSERT SELECT',
    'runledger_worker checkpoints: DELETE INSERT SELECT UPDATE',
    'runledger_worker job_events: INSERT SELECT',
    'runledger_worker job_secrets: DELETE INSERT SELECT',
    'runledger_worker job_steps: INSERT SELECT UPDATE',
    'runledger_worker job_terms: INSERT SELECT',
    'runledger_worker runner_jobs: INSERT SELECT UPDATE',
    'runledger_worker sandbox_jobs: INSERT SELECT UPDATE',
    'runledger_worker schedules: SELECT',
    'runledger_worker transcript_chunks: DELETE INSERT SELECT',
    'runledger_worker worker_hosts: DELETE INSERT SELECT UPDATE',
    'runledger_worker workers: DELETE INSERT SELECT UPDATE',
    'runledger_worker workspaces: SELECT',
  ]);
});

it('lets the API change six columns of a job: the head of its chain and what asks for attention', async () => {
  const { rows } = await owner.query<{ column: string }>(`
    SELECT attname AS column FROM pg_attribute, aclexplode(attacl)
    WHERE attrelid = 'runner_jobs'::regclass AND grantee = 'runledger_api'::regrole AND privilege_type = 'UPDATE' ORDER BY 1`);
  expect(rows.map(({ column }) => column)).toEqual([
    'cancel_requested_at',
    'head_hash',
    'head_seq',
    'updated_at',
    'version',
    'wake_at',
  ]);
  const theirsToo = (): Promise<pg.QueryResult> =>
    api.query('UPDATE runner_jobs SET wake_at = now() RETURNING workspace_id');
  const touched = (await asApi(mine.workspaceId, theirsToo)).rows as { workspace_id: string }[];
  expect(touched.map((row) => row.workspace_id)).toEqual([mine.workspaceId]);
});

it('gives the roles no other power, and every SECURITY DEFINER function a fixed search_path', async () => {
  const roles = await owner.query(
    "SELECT rolname FROM pg_roles WHERE rolname LIKE 'runledger\\_%' AND rolname <> 'runledger_owner' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
  );
  expect(roles.rows).toEqual([]);
  const functions = await owner.query<{ name: string; definer: boolean; config: string[] | null; callers: string }>(`
    SELECT proname AS name, prosecdef AS definer, proconfig AS config,
      (SELECT string_agg(grantee::regrole::text, ',' ORDER BY grantee) FROM aclexplode(proacl) WHERE grantee <> proowner) AS callers
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`);
  for (const found of functions.rows)
    expect([found.name, found.config]).toEqual([found.name, ['search_path=pg_catalog, pg_temp']]);
  expect(functions.rows.filter((row) => row.definer).map((row) => [row.name, row.callers])).toEqual([
    ['runledger_copy_job_secrets', 'runledger_api,runledger_worker'],
    ['runledger_count_unfinished_jobs', 'runledger_api'],
    ['runledger_erase_event_payload', null],
    ['runledger_find_api_key', 'runledger_api'],
    ['runledger_work_stands_still', 'runledger_api'],
  ]);
  expect(functions.rows.filter((row) => !row.definer && row.callers !== null)).toEqual([]);
});

it('finds an API key across tenants by its hash alone', async () => {
  const workspaceId = await insertWorkspace(owner);
  const id = await insertApiKey(owner, workspaceId, HASH);
  const find = (hash: string): Promise<pg.QueryResult> => api.query('SELECT * FROM runledger_find_api_key($1)', [hash]);
  expect((await find(HASH)).rows).toEqual([
    {
      id,
      workspace_id: workspaceId,
      workspace_name: 'Test',
      name: 'key',
      scopes: ['jobs:read'],
      roles: [],
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    },
  ]);
  expect((await find('b'.repeat(64))).rows).toEqual([]);
  // A longer text must not be cut down to a hash that exists.
  expect((await find(`${HASH}b`)).rows).toEqual([]);
  await expect(worker.query('SELECT * FROM runledger_find_api_key($1)', [HASH])).rejects.toMatchObject(
    PERMISSION_DENIED,
  );

  expect((await asApi(workspaceId, () => api.query('UPDATE api_keys SET last_used_at = now()'))).rowCount).toBe(1);
  await expect(asApi(workspaceId, () => api.query("UPDATE api_keys SET scopes = '{admin}'"))).rejects.toMatchObject(
    PERMISSION_DENIED,
  );
});
