import type { Json, JsonObject } from '#kernel';
import type { ChainHead } from '#ledger';
import type { Phase, StepType } from '../definition/definition.js';
import type { JobState, JobStatus, StepState, StepStatus } from '../state/job-state.js';

/** The columns of `runner_jobs` that a list shows, as node-postgres gives them. */
export interface JobCoreRow {
  id: string;
  workspace_id: string;
  kind: string;
  name: string;
  status: JobStatus;
  priority: number;
  progress_percent: number;
  progress_message: string | null;
  current_phase: Phase | null;
  error_code: string | null;
  error_message: string | null;
  project_id: string | null;
  tags: string[];
  metadata: JsonObject;
  run_at: Date | null;
  expires_at: Date | null;
  concurrency_key: string | null;
  concurrency_limit: number | null;
  concurrency_on_conflict: string | null;
  rate_limit_key: string | null;
  rate_limit_count: number | null;
  rate_limit_period_seconds: number | null;
  retry_of_id: string | null;
  schedule_id: string | null;
  cancel_requested_at: Date | null;
  hold: JobHold | null;
  parked_at: Date | null;
  wake_at: Date | null;
  created_by_type: string;
  created_by_id: string;
  version: number;
  created_at: Date;
  queued_at: Date | null;
  started_at: Date | null;
  completed_at: Date | null;
  updated_at: Date;
}

/** Why a PENDING job is not looked at by admission for now. */
export type JobHold = 'DELAY' | 'CONCURRENCY' | 'RATE_LIMIT';

/** A whole row of `runner_jobs`, without its steps. */
export interface JobRow extends JobCoreRow {
  definition: JsonObject;
  result: JsonObject | null;
  failed_step_id: string | null;
  head_seq: number;
  head_hash: string;
  epoch: number;
  offers: number;
  workdir_host: string | null;
  workdir_kept: boolean;
}

export const JOB_CORE_COLUMNS = `id, workspace_id, kind, name, status, priority, progress_percent, progress_message, current_phase, error_code,
  error_message, project_id, tags, metadata, run_at, expires_at, concurrency_key, concurrency_limit, concurrency_on_conflict, rate_limit_key,
  rate_limit_count, rate_limit_period_seconds, retry_of_id, schedule_id, cancel_requested_at, hold, parked_at, wake_at, created_by_type, created_by_id, version, created_at, queued_at, started_at, completed_at, updated_at`;

/** What `JobCoreRow` says of a job. */
export type JobCore = Omit<JobState, 'definition' | 'result' | 'failedStepId' | 'steps'>;

/** A row of `job_steps`; its times are text where it came as JSON. */
export interface StepRow {
  id: string;
  ordinal: number;
  key: string;
  name: string;
  phase: Phase;
  type: StepType;
  status: StepStatus;
  config: JsonObject;
  attempt: number;
  interruptions: number;
  retry_at: Date | string | null;
  outputs: { [key: string]: Json } | null;
  exit_code: number | null;
  error_code: string | null;
  error_message: string | null;
  skip_reason: string | null;
  tokens_input: number;
  tokens_output: number;
  duration_ms: number | null;
  created_at: Date | string;
  started_at: Date | string | null;
  completed_at: Date | string | null;
  updated_at: Date | string;
}

export function headOf(row: JobRow): ChainHead {
  return { seq: row.head_seq, hash: row.head_hash };
}

/** @param steps in any order; empty where only the job itself is of interest */
export function jobStateOf(row: JobRow, steps: StepRow[]): JobState {
  return {
    ...jobCoreOf(row),
    definition: row.definition,
    result: row.result,
    failedStepId: row.failed_step_id,
    steps: steps.map(stepStateOf).sort((one, other) => one.ordinal - other.ordinal),
  };
}

export function jobCoreOf(row: JobCoreRow): JobCore {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    kind: row.kind,
    name: row.name,
    status: row.status,
    priority: row.priority,
    progressPercent: row.progress_percent,
    progressMessage: row.progress_message,
    currentPhase: row.current_phase,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    projectId: row.project_id,
    tags: row.tags,
    metadata: row.metadata,
    runAt: iso(row.run_at),
    expiresAt: iso(row.expires_at),
    concurrency: concurrencyOf(row),
    rateLimit: rateLimitOf(row),
    retryOfId: row.retry_of_id,
    scheduleId: row.schedule_id,
    cancelRequestedAt: iso(row.cancel_requested_at),
    createdByType: row.created_by_type,
    createdById: row.created_by_id,
    createdAt: row.created_at.toISOString(),
    queuedAt: iso(row.queued_at),
    startedAt: iso(row.started_at),
    completedAt: iso(row.completed_at),
    updatedAt: row.updated_at.toISOString(),
  };
}

function concurrencyOf(row: JobCoreRow): JobCore['concurrency'] {
  const { concurrency_key: key, concurrency_limit: limit, concurrency_on_conflict: onConflict } = row;
  return key === null || limit === null || onConflict === null ? null : { key, limit, onConflict };
}

function rateLimitOf(row: JobCoreRow): JobCore['rateLimit'] {
  const { rate_limit_key: key, rate_limit_count: limit, rate_limit_period_seconds: periodSeconds } = row;
  return key === null || limit === null || periodSeconds === null ? null : { key, limit, periodSeconds };
}

export function stepStateOf(row: StepRow): StepState {
  return {
    id: row.id,
    ordinal: row.ordinal,
    key: row.key,
    name: row.name,
    phase: row.phase,
    type: row.type,
    status: row.status,
    config: row.config,
    attempt: row.attempt,
    interruptions: row.interruptions,
    retryAt: iso(row.retry_at),
    outputs: row.outputs,
    exitCode: row.exit_code,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    skipReason: row.skip_reason,
    tokensInput: row.tokens_input,
    tokensOutput: row.tokens_output,
    durationMs: row.duration_ms,
    createdAt: new Date(row.created_at).toISOString(),
    startedAt: iso(row.started_at),
    completedAt: iso(row.completed_at),
    updatedAt: new Date(row.updated_at).toISOString(),
  };
}

function iso(date: Date | string | null): string | null {
  return date === null ? null : new Date(date).toISOString();
}
