import type { Json, JsonObject } from '#kernel';
import type { ChainHead } from '#ledger';
import type { Phase, StepType } from '../definition/definition.js';
import type { JobState, JobStatus, StepStatus } from '../state/job-state.js';

/** Jobs and steps as readers see them. Times are RFC 3339 in UTC with three decimals. */

export interface ErrorView {
  code: string;
  message: string;
}

export interface JobSummaryView {
  id: string;
  workspaceId: string;
  kind: string;
  name: string;
  status: JobStatus;
  priority: number;
  progressPercent: number;
  currentPhase: Phase | null;
  error: ErrorView | null;
  createdBy: { type: string; id: string };
  version: number;
  createdAt: string;
  queuedAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
  updatedAt: string;
}

export interface JobView extends JobSummaryView {
  definition: JsonObject;
  result: JsonObject | null;
  failedStepId: string | null;
  head: { seq: number; hash: string };
  /** In the order in which they run. */
  steps: StepView[];
}

export interface StepView {
  id: string;
  jobId: string;
  ordinal: number;
  key: string;
  name: string;
  phase: Phase;
  type: StepType;
  status: StepStatus;
  attempt: number;
  outputs: { [key: string]: Json } | null;
  error: ErrorView | null;
  skipReason: string | null;
  tokensInput: number;
  tokensOutput: number;
  durationMs: number | null;
  startedAt: string | null;
  completedAt: string | null;
}

/** The columns behind `JobSummaryView`. */
export interface JobSummaryRow {
  id: string;
  workspace_id: string;
  kind: string;
  name: string;
  status: JobStatus;
  priority: number;
  progress_percent: number;
  current_phase: Phase | null;
  error_code: string | null;
  error_message: string | null;
  created_by_type: string;
  created_by_id: string;
  version: number;
  created_at: Date;
  queued_at: Date | null;
  started_at: Date | null;
  completed_at: Date | null;
  updated_at: Date;
}

export const JOB_SUMMARY_COLUMNS = `job.id, job.workspace_id, job.kind, job.name, job.status, job.priority, job.progress_percent, job.current_phase,
  job.error_code, job.error_message, job.created_by_type, job.created_by_id, job.version,
  job.created_at, job.queued_at, job.started_at, job.completed_at, job.updated_at`;

export interface JobDetailRow extends JobSummaryRow {
  definition: JsonObject;
  result: JsonObject | null;
  failed_step_id: string | null;
  head_seq: number;
  head_hash: string;
}

export const JOB_DETAIL_COLUMNS = `${JOB_SUMMARY_COLUMNS}, job.definition, job.result, job.failed_step_id, job.head_seq, job.head_hash`;

export interface StepRow {
  id: string;
  job_id: string;
  ordinal: number;
  key: string;
  name: string;
  phase: Phase;
  type: StepType;
  status: StepStatus;
  attempt: number;
  outputs: { [key: string]: Json } | null;
  error_code: string | null;
  error_message: string | null;
  skip_reason: string | null;
  tokens_input: number;
  tokens_output: number;
  duration_ms: number | null;
  /** Text where the row came as JSON. */
  started_at: Date | string | null;
  completed_at: Date | string | null;
}

export const STEP_COLUMNS = `step.id, step.job_id, step.ordinal, step.key, step.name, step.phase, step.type, step.status, step.attempt, step.outputs,
  step.error_code, step.error_message, step.skip_reason, step.tokens_input, step.tokens_output, step.duration_ms, step.started_at, step.completed_at`;

export function toJobSummary(row: JobSummaryRow): JobSummaryView {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    kind: row.kind,
    name: row.name,
    status: row.status,
    priority: row.priority,
    progressPercent: row.progress_percent,
    currentPhase: row.current_phase,
    error: toError(row),
    createdBy: { type: row.created_by_type, id: row.created_by_id },
    version: row.version,
    createdAt: row.created_at.toISOString(),
    queuedAt: iso(row.queued_at),
    startedAt: iso(row.started_at),
    completedAt: iso(row.completed_at),
    updatedAt: row.updated_at.toISOString(),
  };
}

export function toJob(row: JobDetailRow, steps: StepRow[]): JobView {
  return {
    ...toJobSummary(row),
    definition: row.definition,
    result: row.result,
    failedStepId: row.failed_step_id,
    head: { seq: row.head_seq, hash: row.head_hash },
    steps: steps.map(toStep),
  };
}

export function toStep(row: StepRow): StepView {
  return {
    id: row.id,
    jobId: row.job_id,
    ordinal: row.ordinal,
    key: row.key,
    name: row.name,
    phase: row.phase,
    type: row.type,
    status: row.status,
    attempt: row.attempt,
    outputs: row.outputs,
    error: toError(row),
    skipReason: row.skip_reason,
    tokensInput: row.tokens_input,
    tokensOutput: row.tokens_output,
    durationMs: row.duration_ms,
    startedAt: iso(row.started_at),
    completedAt: iso(row.completed_at),
  };
}

/** A job that was just accepted, without asking the database for what was told it a moment ago. */
export function newJobView({ state, head }: { state: JobState; head: ChainHead }): JobView {
  const { createdByType, createdById, errorCode: _code, errorMessage: _message, steps, ...job } = state;
  return {
    ...job,
    error: null,
    createdBy: { type: createdByType, id: createdById },
    version: 1,
    head,
    steps: steps.map(
      ({
        config: _config,
        errorCode: _,
        errorMessage: __,
        createdAt: ___,
        updatedAt: ____,
        exitCode: _____,
        ...step
      }) => ({ ...step, jobId: state.id, error: null }),
    ),
  };
}

function toError(row: { error_code: string | null; error_message: string | null }): ErrorView | null {
  return row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? '' };
}

function iso(date: Date | string | null): string | null {
  return date === null ? null : new Date(date).toISOString();
}
