import pg from 'pg';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import {
  fillTenant,
  HASH,
  insertApiKey,
  insertArtifact,
  insertChunk,
  insertEvent,
  insertJob,
  insertSandboxJob,
  insertSeries,
  insertStep,
  ZEROS,
} from './rows.js';

let database: TestDatabase;
let owner: pg.Client;
let mine: Awaited<ReturnType<typeof fillTenant>>;
let theirs: Awaited<ReturnType<typeof fillTenant>>;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  mine = await fillTenant(owner);
  theirs = await fillTenant(owner);
});

beforeEach(() => owner.query('BEGIN'));
afterEach(() => owner.query('ROLLBACK'));

afterAll(async () => {
  await owner.end();
  await database.drop();
});

/** The statement breaks exactly this constraint. */
async function breaks(constraint: string, insert: Promise<unknown>): Promise<void> {
  await expect(insert).rejects.toMatchObject({ constraint });
}

it.each<[constraint: string, change: Record<string, unknown>]>([
  ['runner_jobs_kind_check', { kind: 'pipeline' }],
  ['runner_jobs_kind_check', { kind: `A${'B'.repeat(32)}` }],
  ['runner_jobs_name_check', { name: '' }],
  ['runner_jobs_name_check', { name: 'x'.repeat(201) }],
  ['runner_jobs_priority_check', { priority: 10 }],
  ['runner_jobs_priority_check', { priority: -1 }],
  ['runner_jobs_progress_percent_check', { progress_percent: 101 }],
  ['runner_jobs_head_check', { head_hash: 'A'.repeat(64) }],
  ['runner_jobs_head_check', { head_hash: 'abcd' }],
  ['runner_jobs_head_check', { head_seq: -1 }],
  ['runner_jobs_completed_check', { status: 'COMPLETED' }],
  ['runner_jobs_completed_check', { status: 'RUNNING', completed_at: new Date() }],
  ['runner_jobs_lease_check', { lease_owner: 'w' }],
  ['runner_jobs_lease_check', { lease_expires_at: new Date() }],
  ['runner_jobs_workspace_id_fkey', { workspace_id: newId() }],
])('a job: %s refuses %j', async (constraint, change) => {
  await breaks(constraint, insertJob(owner, mine.workspaceId, change));
});

it('a job starts as the columns say', async () => {
  const id = await insertJob(owner, mine.workspaceId, {
    status: 'FAILED',
    completed_at: new Date(),
    priority: 9,
    progress_percent: 100,
  });
  const { rows } = await owner.query(
    'SELECT kind, head_seq, head_hash, epoch, offers, version FROM runner_jobs WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ kind: 'PIPELINE', head_seq: 0, head_hash: ZEROS, epoch: 0, offers: 0, version: 1 }]);
});

it.each<[constraint: string, change: Record<string, unknown>]>([
  ['job_steps_key_check', { key: 'Build' }],
  ['job_steps_key_check', { key: '1st' }],
  ['job_steps_key_check', { key: `a${'b'.repeat(64)}` }],
  ['job_steps_job_id_key_key', { ordinal: 7 }],
  ['job_steps_job_id_ordinal_key', { key: 'other' }],
  ['job_steps_counts_check', { key: 'other', ordinal: -1 }],
  ['job_steps_counts_check', { key: 'other', ordinal: 1, tokens_input: -1 }],
  ['job_steps_counts_check', { key: 'other', ordinal: 1, duration_ms: -1 }],
])('a step: %s refuses %j', async (constraint, change) => {
  await breaks(constraint, insertStep(owner, mine.workspaceId, mine.jobId, change));
});

it.each<[constraint: RegExp, change: Record<string, unknown>]>([
  [/^job_events_seq_check$/, { seq: 0 }],
  [/^job_events_payload_check$/, { payload: null }],
  [/^job_events_payload_check$/, { payload_erased_at: new Date() }],
  [/^job_events_hashes_check$/, { hash: 'A'.repeat(64) }],
  [/^job_events_hashes_check$/, { prev_hash: `${'a'.repeat(63)}F` }],
  [/^job_events_hashes_check$/, { payload_hash: 'abc' }],
  // Unique keys are named after the partition that the event is in.
  [/^job_events_\d{4}_\d{2}_job_id_seq_idx$/, { prev_hash: HASH }],
  [/^job_events_\d{4}_\d{2}_job_id_prev_hash_idx$/, { seq: 2 }],
])('an event: %s refuses %j', async (constraint, change) => {
  const valid = { seq: 2, prev_hash: 'c'.repeat(64) };
  const event = 'seq' in change || 'prev_hash' in change ? change : { ...valid, ...change };
  await expect(insertEvent(owner, mine.workspaceId, mine.jobId, event)).rejects.toMatchObject({
    constraint: expect.stringMatching(constraint),
  });
});

it('workspaces, keys, executions and artifacts are checked too', async () => {
  const attempts: [constraint: string, attempt: () => Promise<unknown>][] = [
    [
      'workspaces_slug_check',
      () => owner.query("INSERT INTO workspaces (id, name, slug) VALUES ($1, 'n', 'Not A Slug')", [newId()]),
    ],
    [
      'workspaces_name_check',
      () => owner.query("INSERT INTO workspaces (id, name, slug) VALUES ($1, '', 'slug')", [newId()]),
    ],
    [
      'workspaces_slug_key',
      () =>
        owner.query("INSERT INTO workspaces (id, name, slug) SELECT $1, 'n', slug FROM workspaces LIMIT 1", [newId()]),
    ],
    ['api_keys_key_hash_check', () => insertApiKey(owner, mine.workspaceId, 'F'.repeat(64))],
    [
      'api_keys_key_hash_key',
      () => insertApiKey(owner, theirs.workspaceId, mine.workspaceId.replaceAll('-', '').repeat(2)),
    ],
    [
      'sandbox_jobs_status_check',
      () => insertSandboxJob(owner, mine.workspaceId, mine.jobId, mine.stepId, { attempt: 2, status: 'lost' }),
    ],
    [
      'sandbox_jobs_transcript_check',
      () => insertSandboxJob(owner, mine.workspaceId, mine.jobId, mine.stepId, { attempt: 2, transcript_sha256: 'x' }),
    ],
    ['sandbox_jobs_step_id_attempt_key', () => insertSandboxJob(owner, mine.workspaceId, mine.jobId, mine.stepId)],
    [
      'artifacts_sha256_check',
      () => insertArtifact(owner, mine.workspaceId, mine.jobId, mine.stepId, { path: 'b', version: 2, sha256: 'x' }),
    ],
    [
      'artifacts_version_check',
      () => insertArtifact(owner, mine.workspaceId, mine.jobId, mine.stepId, { path: 'b', version: 0 }),
    ],
    [
      'artifacts_step_id_path_key',
      () => insertArtifact(owner, mine.workspaceId, mine.jobId, mine.stepId, { version: 2 }),
    ],
    [
      // Although both have no project: NULLs are equal here.
      'artifacts_series_version_key',
      () => insertArtifact(owner, mine.workspaceId, mine.jobId, mine.stepId, { path: 'b' }),
    ],
    ['artifact_series_key', () => insertSeries(owner, mine.workspaceId, mine.artifactId)],
    [
      'artifact_series_workspace_id_latest_artifact_id_key',
      () => insertSeries(owner, mine.workspaceId, mine.artifactId, { logical_key: 'other' }),
    ],
  ];
  for (const [constraint, attempt] of attempts) {
    await owner.query('SAVEPOINT before');
    await breaks(constraint, attempt());
    await owner.query('ROLLBACK TO before');
  }
});

it('no row can point into another tenant', async () => {
  const other = await insertStep(owner, theirs.workspaceId, theirs.jobId, { key: 'other', ordinal: 1 });
  const own = await insertStep(owner, mine.workspaceId, mine.jobId, { key: 'other', ordinal: 1 });
  const attempts: [constraint: string, attempt: () => Promise<unknown>][] = [
    [
      'job_steps_job_id_workspace_id_fkey',
      () => insertStep(owner, mine.workspaceId, theirs.jobId, { key: 'third', ordinal: 2 }),
    ],
    [
      'job_events_job_id_workspace_id_fkey',
      () => insertEvent(owner, mine.workspaceId, theirs.jobId, { seq: 2, prev_hash: HASH }),
    ],
    [
      'job_events_step_id_workspace_id_fkey',
      () => insertEvent(owner, mine.workspaceId, mine.jobId, { seq: 2, prev_hash: HASH, step_id: other }),
    ],
    ['sandbox_jobs_job_id_workspace_id_fkey', () => insertSandboxJob(owner, mine.workspaceId, theirs.jobId, own)],
    ['sandbox_jobs_step_id_workspace_id_fkey', () => insertSandboxJob(owner, mine.workspaceId, mine.jobId, other)],
    [
      'transcript_chunks_step_id_workspace_id_fkey',
      () => insertChunk(owner, mine.workspaceId, mine.jobId, other, newId()),
    ],
    [
      'artifacts_job_id_workspace_id_fkey',
      () => insertArtifact(owner, mine.workspaceId, theirs.jobId, own, { logical_key: 'z' }),
    ],
    [
      'artifacts_step_id_workspace_id_fkey',
      () => insertArtifact(owner, mine.workspaceId, mine.jobId, other, { logical_key: 'z' }),
    ],
    [
      'artifact_series_workspace_id_latest_artifact_id_fkey',
      () => insertSeries(owner, mine.workspaceId, theirs.artifactId, { logical_key: 'z' }),
    ],
  ];
  for (const [constraint, attempt] of attempts) {
    await owner.query('SAVEPOINT before');
    await breaks(constraint, attempt());
    await owner.query('ROLLBACK TO before');
  }
});

it('a renewed lease touches no index', async () => {
  const id = await insertJob(owner, mine.workspaceId, {
    status: 'RUNNING',
    lease_owner: 'w',
    lease_expires_at: new Date(),
  });
  const place = async (): Promise<string> =>
    (await owner.query<{ ctid: string }>('SELECT ctid FROM runner_jobs WHERE id = $1', [id])).rows[0]?.ctid ?? '';
  const before = await place();
  await owner.query("UPDATE runner_jobs SET lease_expires_at = now() + interval '6 seconds' WHERE id = $1", [id]);
  expect(await place()).not.toBe(before);
  const { rows } = await owner.query(
    "SELECT pg_stat_get_xact_tuples_hot_updated('runner_jobs'::regclass)::int AS hot, pg_stat_get_xact_tuples_updated('runner_jobs'::regclass)::int AS updated",
  );
  expect(rows).toEqual([{ hot: 1, updated: 1 }]);
});
