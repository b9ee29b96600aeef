import type { Json } from '#kernel';
import { INSERT_EVENTS_COLUMNS, INSERT_EVENTS_RECORD, INSERT_EVENTS_SELECT, eventRow } from '#ledger';
import type { JobState, StepState } from '../state/job-state.js';
import { isTerminalStep } from '../state/step.machine.js';
import type { Transition } from './transition.js';

/** Runs one named (so planned once a connection) statement: on the pool, or on a client inside a transaction. */
export type RunStatement = (statement: { name: string; text: string; values: unknown[] }) => Promise<{ id: string }[]>;

/** PostgreSQL takes 8,000 bytes a notification; an id and its comma are 37. */
const IDS_PER_NOTIFICATION = 200;

/**
 * Writes any number of transitions, of different jobs, as ONE statement: the job rows, guarded by epoch and head; and, for the jobs
 * that passed the guard, their step rows, command executions, events, and the wake-up of those who follow them. One statement is one
 * round trip and one commit however many jobs share it.
 *
 * Rejected: a transaction with a statement per table (five round trips, and a third of the throughput), and Prisma's writes
 * (one statement per row).
 *
 * @returns the ids of the jobs whose transition was written; a missing one has lost its claim
 */
export async function writeTransitions(run: RunStatement, transitions: Transition[]): Promise<Set<string>> {
  const values = [
    JSON.stringify(transitions.map(jobRow)),
    JSON.stringify(transitions.flatMap(changedSteps)),
    JSON.stringify(transitions.flatMap(executions)),
    JSON.stringify(transitions.flatMap((transition) => transition.events.map(eventRow))),
    notifications(transitions),
  ];
  const closed = transitions.flatMap(endedQuestions);
  const rows = await run(
    closed.length === 0
      ? { name: 'write-transitions', text: STATEMENT, values }
      : { name: 'write-and-close', text: CLOSING_STATEMENT, values: [...values, closed] },
  );
  return new Set(rows.map((row) => row.id));
}

function executions({ sandboxJobs, after }: Transition): object[] {
  return sandboxJobs.map((row) => ({ ...row, jobId: after.id, workspaceId: after.workspaceId }));
}

function jobRow(transition: Transition): { [key: string]: Json } {
  const { after, before } = transition;
  return {
    id: after.id,
    epoch: transition.epoch,
    seqBefore: transition.headBefore.seq,
    headSeq: transition.head.seq,
    headHash: transition.head.hash,
    delivery: transition.delivery,
    wakeAt: transition.wakeAt,
    workdirHost: transition.workdir?.host ?? null,
    workdirKept: transition.workdir?.kept ?? null,
    status: after.status,
    progressPercent: after.progressPercent,
    progressMessage: after.progressMessage,
    cancelRequestedAt: after.cancelRequestedAt,
    currentPhase: after.currentPhase,
    result: after.result === before.result ? null : after.result,
    errorCode: after.errorCode,
    errorMessage: after.errorMessage,
    failedStepId: after.failedStepId,
    queuedAt: after.queuedAt,
    startedAt: after.startedAt,
    completedAt: after.completedAt,
    updatedAt: after.updatedAt,
  };
}

/** The reducer leaves untouched steps as the same objects, so a changed one is another object. */
function changedSteps(transition: Transition): object[] {
  return transition.after.steps
    .filter((step, index) => step !== transition.before.steps[index])
    .map((step) => stepRow(transition.after, step));
}

/**
 * The gates that have ended and asked somebody: their open questions are closed by the same statement, so that nobody can decide in
 * between. (A trigger on `job_steps` would do it too, and cost every transition of every step a sixth of its time.)
 */
function endedQuestions({ before, after }: Transition): string[] {
  return after.steps
    .filter((step, index) => step !== before.steps[index] && isTerminalStep(step.status) && asks(step))
    .map((step) => step.id);
}

function asks({ type, config, attempt }: StepState): boolean {
  return type === 'GATE' && attempt > 0 && (config['approval'] ?? null) !== null;
}

function stepRow(job: JobState, step: StepState): object {
  const { id, status, attempt, interruptions, retryAt, outputs, exitCode, errorCode, errorMessage, skipReason } = step;
  const { tokensInput, tokensOutput, durationMs, startedAt, completedAt, updatedAt } = step;
  return {
    ...{
      id,
      jobId: job.id,
      status,
      attempt,
      interruptions,
      retryAt,
      outputs,
      exitCode,
      errorCode,
      errorMessage,
      skipReason,
    },
    ...{ tokensInput, tokensOutput, durationMs, startedAt, completedAt, updatedAt },
  };
}

function notifications(transitions: Transition[]): string[] {
  const ids = transitions.map((transition) => transition.after.id);
  const texts: string[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_NOTIFICATION)
    texts.push(ids.slice(start, start + IDS_PER_NOTIFICATION).join(','));
  return texts;
}

const WRITE = `
WITH moved AS (
  UPDATE runner_jobs AS job SET
    status = i.status, hold = CASE i.status WHEN 'PENDING' THEN job.hold END, progress_percent = i."progressPercent", progress_message = i."progressMessage", current_phase = i."currentPhase",
    result = coalesce(i.result, job.result), error_code = i."errorCode", error_message = i."errorMessage", failed_step_id = i."failedStepId",
    queued_at = i."queuedAt", started_at = i."startedAt", completed_at = i."completedAt", updated_at = i."updatedAt", cancel_requested_at = i."cancelRequestedAt",
    head_seq = i."headSeq", head_hash = i."headHash", version = job.version + 1,
    lease_owner = CASE i.delivery WHEN 'keep' THEN job.lease_owner END,
    lease_expires_at = CASE i.delivery WHEN 'keep' THEN job.lease_expires_at END,
    offers = job.offers + CASE i.delivery WHEN 'offer' THEN 1 ELSE 0 END,
    offered_at = CASE i.delivery WHEN 'offer' THEN now() ELSE job.offered_at END,
    parked_at = CASE i.delivery WHEN 'park' THEN now() END, wake_at = i."wakeAt",
    workdir_host = coalesce(i."workdirHost", job.workdir_host), workdir_kept = coalesce(i."workdirKept", job.workdir_kept)
  FROM jsonb_to_recordset($1::jsonb) AS i(
    id uuid, epoch int, "seqBefore" int, "headSeq" int, "headHash" text, delivery text, "wakeAt" timestamptz, "workdirHost" text, "workdirKept" boolean, status runner_job_status,
    "progressPercent" smallint, "progressMessage" text, "cancelRequestedAt" timestamptz,
    "currentPhase" job_step_phase, result jsonb, "errorCode" text, "errorMessage" text, "failedStepId" uuid,
    "queuedAt" timestamptz, "startedAt" timestamptz, "completedAt" timestamptz, "updatedAt" timestamptz)
  WHERE job.id = i.id AND job.epoch = i.epoch AND job.head_seq = i."seqBefore"
  RETURNING job.id
), stepped AS (
  UPDATE job_steps AS step SET
    status = i.status, attempt = i.attempt, interruptions = i.interruptions, retry_at = i."retryAt", outputs = i.outputs, exit_code = i."exitCode", error_code = i."errorCode", error_message = i."errorMessage",
    skip_reason = i."skipReason", tokens_input = i."tokensInput", tokens_output = i."tokensOutput", duration_ms = i."durationMs",
    started_at = i."startedAt", completed_at = i."completedAt", updated_at = i."updatedAt", version = step.version + 1
  FROM jsonb_to_recordset($2::jsonb) AS i(
    id uuid, "jobId" uuid, status job_step_status, attempt int, interruptions int, "retryAt" timestamptz, outputs jsonb, "exitCode" int, "errorCode" text, "errorMessage" text, "skipReason" text,
    "tokensInput" int, "tokensOutput" int, "durationMs" int, "startedAt" timestamptz, "completedAt" timestamptz, "updatedAt" timestamptz)
  WHERE step.id = i.id AND i."jobId" IN (SELECT id FROM moved)
), executed AS (
  INSERT INTO sandbox_jobs AS s (
    id, workspace_id, job_id, step_id, attempt, status, driver, started_at, ended_at, duration_ms, exit_code, signal, failure_code,
    transcript_ref, transcript_bytes, transcript_sha256, transcript_truncated, transcript_streams_sha256, metadata)
  SELECT i.id, i."workspaceId", i."jobId", i."stepId", i.attempt, i.status, i.driver, i."startedAt", i."endedAt", i."durationMs", i."exitCode", i.signal,
    i."failureCode", i."transcriptRef", i."transcriptBytes", i."transcriptSha256", i."transcriptTruncated", i."transcriptStreamsSha256",
    i.metadata
  FROM jsonb_to_recordset($3::jsonb) AS i(
    id uuid, "workspaceId" uuid, "jobId" uuid, "stepId" uuid, attempt int, status text, driver text, "startedAt" timestamptz, "endedAt" timestamptz,
    "durationMs" int, "exitCode" int, signal text, "failureCode" text, "transcriptRef" text, "transcriptBytes" bigint, "transcriptSha256" text,
    "transcriptTruncated" boolean, "transcriptStreamsSha256" text, metadata jsonb)
  WHERE i."jobId" IN (SELECT id FROM moved)
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, exit_code = excluded.exit_code,
    signal = excluded.signal, failure_code = excluded.failure_code, transcript_ref = excluded.transcript_ref, transcript_bytes = excluded.transcript_bytes,
    transcript_sha256 = excluded.transcript_sha256, transcript_truncated = excluded.transcript_truncated,
    transcript_streams_sha256 = excluded.transcript_streams_sha256, metadata = excluded.metadata
  RETURNING s.id, s.status
), dropped AS (
  DELETE FROM transcript_chunks WHERE sandbox_job_id IN (SELECT id FROM executed WHERE status <> 'running')
), appended AS (
  INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
  SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($4::jsonb) AS ${INSERT_EVENTS_RECORD}
  WHERE e."jobId" IN (SELECT id FROM moved)`;

const CLOSE = `
), closed AS (
  UPDATE approvals AS approval SET decided_at = clock_timestamp(),
    status = CASE WHEN approval.expires_at <= least(clock_timestamp(), job.cancel_requested_at) THEN 'EXPIRED' ELSE 'CANCELLED' END
  FROM runner_jobs AS job
  WHERE approval.step_id = ANY ($6::uuid[]) AND approval.status = 'PENDING' AND job.id = approval.job_id AND job.id IN (SELECT id FROM moved)`;

const TELL = `
), told AS (
  SELECT pg_notify('runledger_events', ids) FROM unnest($5::text[]) AS ids
)
SELECT moved.id, (SELECT count(*) FROM told) FROM moved`;

const STATEMENT = WRITE + TELL;
const CLOSING_STATEMENT = WRITE + CLOSE + TELL;
