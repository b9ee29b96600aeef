import type pg from 'pg';
import { newId } from '#kernel';

/** Bare rows for tests of the database itself: only what the columns demand. Each function returns the id of what it inserted. */

export const HASH = 'a'.repeat(64);
export const ZEROS = '0'.repeat(64);

async function insert(client: pg.ClientBase, table: string, row: Record<string, unknown>): Promise<void> {
  const columns = Object.keys(row);
  const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`;
  await client.query(text, Object.values(row));
}

export async function insertWorkspace(client: pg.ClientBase): Promise<string> {
  const id = newId();
  await insert(client, 'workspaces', { id, name: 'Test', slug: `w-${id}` });
  return id;
}

export async function insertApiKey(client: pg.ClientBase, workspaceId: string, keyHash: string): Promise<string> {
  const id = newId();
  await insert(client, 'api_keys', {
    id,
    workspace_id: workspaceId,
    name: 'key',
    prefix: 'rl_test',
    key_hash: keyHash,
    scopes: ['jobs:read'],
  });
  return id;
}

export async function insertJob(
  client: pg.ClientBase,
  workspaceId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  await insert(client, 'runner_jobs', {
    id,
    workspace_id: workspaceId,
    name: 'job',
    definition: {},
    created_by_type: 'user',
    created_by_id: 'u',
    ...changes,
  });
  return id;
}

export async function insertStep(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  const row = {
    id,
    workspace_id: workspaceId,
    job_id: jobId,
    ordinal: 0,
    key: 'build',
    name: 'build',
    phase: 'SETUP',
    type: 'COMMAND',
    ...changes,
  };
  await insert(client, 'job_steps', row);
  return id;
}

export async function insertEvent(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  await insert(client, 'job_events', {
    id,
    workspace_id: workspaceId,
    job_id: jobId,
    seq: 1,
    type: 'job.created',
    actor_type: 'user',
    actor_id: 'u',
    timestamp: new Date(),
    payload: { secret: 'x' },
    payload_hash: HASH,
    prev_hash: ZEROS,
    hash: HASH,
    ...changes,
  });
  return id;
}

export async function insertSandboxJob(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  stepId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  await insert(client, 'sandbox_jobs', {
    id,
    workspace_id: workspaceId,
    job_id: jobId,
    step_id: stepId,
    attempt: 1,
    driver: 'process',
    ...changes,
  });
  return id;
}

export async function insertChunk(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  stepId: string,
  sandboxJobId: string,
): Promise<void> {
  const row = {
    sandbox_job_id: sandboxJobId,
    workspace_id: workspaceId,
    job_id: jobId,
    step_id: stepId,
    seq: 1,
    byte_offset: 0,
    text: 'hello',
  };
  await insert(client, 'transcript_chunks', row);
}

export async function insertJobSecret(client: pg.ClientBase, workspaceId: string, jobId: string): Promise<void> {
  const ciphertext = Buffer.from('sealed');
  const row = { workspace_id: workspaceId, job_id: jobId, name: 'TOKEN', set_id: newId(), ciphertext };
  await insert(client, 'job_secrets', row);
}

export async function insertArtifact(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  stepId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  const row = {
    id,
    workspace_id: workspaceId,
    job_id: jobId,
    step_id: stepId,
    kind: 'file',
    logical_key: 'a',
    version: 1,
    path: 'a',
    media_type: 'text/plain',
    size_bytes: 1,
    sha256: HASH,
    blob_key: 'b',
  };
  await insert(client, 'artifacts', { ...row, ...changes });
  return id;
}

export async function insertSeries(
  client: pg.ClientBase,
  workspaceId: string,
  latestArtifactId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  await insert(client, 'artifact_series', {
    id,
    workspace_id: workspaceId,
    kind: 'file',
    logical_key: 'a',
    latest_version: 1,
    latest_artifact_id: latestArtifactId,
    ...changes,
  });
  return id;
}

export async function insertApproval(
  client: pg.ClientBase,
  workspaceId: string,
  jobId: string,
  stepId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  const row = {
    id,
    workspace_id: workspaceId,
    job_id: jobId,
    step_id: stepId,
    scope: 'deploy.production',
    subject: {},
    subject_digest: HASH,
    min_approvals: 1,
    requested_at: new Date(),
    expires_at: new Date(Date.now() + 60_000),
  };
  await insert(client, 'approvals', { ...row, ...changes });
  return id;
}

export async function insertDecision(
  client: pg.ClientBase,
  workspaceId: string,
  approvalId: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const id = newId();
  const row = {
    id,
    workspace_id: workspaceId,
    approval_id: approvalId,
    decision: 'grant',
    actor_type: 'api_key',
    actor_id: newId(),
    actor_name: 'Maria',
    subject_digest: HASH,
  };
  await insert(client, 'approval_decisions', { ...row, ...changes });
  return id;
}

/** A row in every table that belongs to a tenant. */
/** What has no id of its own that a test asks for: one row of each table. */
async function insertBookkeeping(client: pg.ClientBase, workspaceId: string, jobId: string): Promise<void> {
  const tenant = { workspace_id: workspaceId };
  await insert(client, 'job_terms', { ...tenant, term: 'tag=a', job_id: jobId });
  await insert(client, 'admission_keys', { ...tenant, kind: 'CONCURRENCY', key: 'k', due_at: new Date() });
  await insert(client, 'checkpoints', {
    ...tenant,
    id: newId(),
    job_id: jobId,
    phase: 'SETUP',
    blob_key: newId(),
    host: 'h',
  });
  await insert(client, 'schedules', {
    ...{ ...tenant, id: newId(), name: 'nightly', cron: '@daily', definition: {} },
    ...{ created_by_type: 'user', created_by_id: 'u', updated_by_type: 'user', updated_by_id: 'u' },
  });
}

export async function fillTenant(
  client: pg.ClientBase,
): Promise<
  Record<'workspaceId' | 'jobId' | 'stepId' | 'eventId' | 'artifactId' | 'approvalId' | 'decisionId', string>
> {
  const workspaceId = await insertWorkspace(client);
  await insertApiKey(client, workspaceId, workspaceId.replaceAll('-', '').repeat(2));
  const jobId = await insertJob(client, workspaceId);
  const stepId = await insertStep(client, workspaceId, jobId);
  const eventId = await insertEvent(client, workspaceId, jobId, { step_id: stepId });
  const sandboxJobId = await insertSandboxJob(client, workspaceId, jobId, stepId);
  await insertChunk(client, workspaceId, jobId, stepId, sandboxJobId);
  await insertJobSecret(client, workspaceId, jobId);
  const artifactId = await insertArtifact(client, workspaceId, jobId, stepId);
  await insertSeries(client, workspaceId, artifactId);
  const approvalId = await insertApproval(client, workspaceId, jobId, stepId);
  const decisionId = await insertDecision(client, workspaceId, approvalId);
  await insertBookkeeping(client, workspaceId, jobId);
  return { workspaceId, jobId, stepId, eventId, artifactId, approvalId, decisionId };
}
