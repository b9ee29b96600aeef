import { INSERT_EVENTS_COLUMNS, INSERT_EVENTS_RECORD, INSERT_EVENTS_SELECT, eventRow } from '#ledger';
import type { JobState } from '../state/job-state.js';
import { SUBMITTED_CHANNEL } from '../store/channels.js';
import { searchTerms } from './search-terms.js';
import type { Submission } from './new-submission.js';

/** One statement for any number of jobs of one workspace: rows, steps, first events, search terms, and the wake-up of the workers. */
export function insertStatement(submissions: Submission[]): { name: string; text: string; values: unknown[] } {
  const values = [
    JSON.stringify(submissions.map(jobRecord)),
    JSON.stringify(submissions.flatMap(stepRecords)),
    JSON.stringify(submissions.flatMap((submission) => submission.events.map(eventRow))),
    JSON.stringify(submissions.flatMap(({ state }) => termRecords(state))),
    JSON.stringify(submissions.flatMap(secretRecords)),
  ];
  return { name: 'insert-jobs', text: INSERT, values };
}

function jobRecord({ state, head }: Submission): object {
  const { id, workspaceId, kind, name, priority, definition, createdByType, createdById, createdAt } = state;
  const { projectId, tags, metadata, runAt, expiresAt, concurrency, rateLimit, retryOfId, scheduleId } = state;
  return {
    ...{ id, workspaceId, kind, name, priority, definition, createdByType, createdById, createdAt },
    ...{ projectId, tags, metadata, runAt, expiresAt, retryOfId, scheduleId },
    concurrencyKey: concurrency?.key ?? null,
    concurrencyLimit: concurrency?.limit ?? null,
    onConflict: concurrency?.onConflict ?? null,
    rateKey: rateLimit?.key ?? null,
    rateCount: rateLimit?.limit ?? null,
    ratePeriod: rateLimit?.periodSeconds ?? null,
    headSeq: head.seq,
    headHash: head.hash,
  };
}

function stepRecords({ state }: Submission): object[] {
  return state.steps.map(({ id, ordinal, key, name, phase, type, config, createdAt }) => ({
    ...{ id, workspaceId: state.workspaceId, jobId: state.id, ordinal, key, name, phase, type, config, createdAt },
  }));
}

function termRecords({ id, workspaceId, tags, metadata }: JobState): object[] {
  return searchTerms(tags, metadata).map((term) => ({ jobId: id, workspaceId, term }));
}

function secretRecords({ state, secrets }: Submission): object[] {
  if (secrets === null) return [];
  const { setId, items } = secrets;
  return items.map(({ name, ciphertext }) => ({
    ...{ workspaceId: state.workspaceId, jobId: state.id, name, setId },
    ciphertext: ciphertext.toString('base64'),
  }));
}

const INSERT = `
WITH job AS (
  INSERT INTO runner_jobs (id, workspace_id, kind, name, priority, definition, created_by_type, created_by_id, created_at, updated_at, head_seq, head_hash,
    project_id, tags, metadata, run_at, expires_at, concurrency_key, concurrency_limit, concurrency_on_conflict,
    rate_limit_key, rate_limit_count, rate_limit_period_seconds, retry_of_id, schedule_id, hold)
  SELECT i.id, i."workspaceId", i.kind, i.name, i.priority, i.definition, i."createdByType", i."createdById", i."createdAt", i."createdAt", i."headSeq", i."headHash",
    i."projectId", i.tags, i.metadata, i."runAt", i."expiresAt", i."concurrencyKey", i."concurrencyLimit", i."onConflict",
    i."rateKey", i."rateCount", i."ratePeriod", i."retryOfId", i."scheduleId", CASE WHEN i."runAt" > now() THEN 'DELAY' END
  FROM jsonb_to_recordset($1::jsonb) AS i(id uuid, "workspaceId" uuid, kind text, name text, priority smallint, definition jsonb,
    "createdByType" text, "createdById" text, "createdAt" timestamptz, "headSeq" int, "headHash" text,
    "projectId" uuid, tags text[], metadata jsonb, "runAt" timestamptz, "expiresAt" timestamptz, "concurrencyKey" text, "concurrencyLimit" int,
    "onConflict" text, "rateKey" text, "rateCount" int, "ratePeriod" int, "retryOfId" uuid, "scheduleId" uuid)
), step AS (
  INSERT INTO job_steps (id, workspace_id, job_id, ordinal, key, name, phase, type, config, created_at, updated_at)
  SELECT i.id, i."workspaceId", i."jobId", i.ordinal, i.key, i.name, i.phase, i.type, i.config, i."createdAt", i."createdAt"
  FROM jsonb_to_recordset($2::jsonb) AS i(id uuid, "workspaceId" uuid, "jobId" uuid, ordinal int, key text, name text, phase job_step_phase,
    type job_step_type, config jsonb, "createdAt" timestamptz)
), event AS (
  INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
  SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($3::jsonb) AS ${INSERT_EVENTS_RECORD}
), term AS (
  INSERT INTO job_terms (workspace_id, term, job_id)
  SELECT i."workspaceId", i.term, i."jobId" FROM jsonb_to_recordset($4::jsonb) AS i("workspaceId" uuid, term text, "jobId" uuid)
), secret AS (
  INSERT INTO job_secrets (workspace_id, job_id, name, set_id, ciphertext)
  SELECT i."workspaceId", i."jobId", i.name, i."setId", decode(i.ciphertext, 'base64')
  FROM jsonb_to_recordset($5::jsonb) AS i("workspaceId" uuid, "jobId" uuid, name text, "setId" uuid, ciphertext text)
)
SELECT pg_notify('${SUBMITTED_CHANNEL}', '')`;
