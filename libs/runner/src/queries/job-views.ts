import type { Json, JsonObject } from '#kernel';
import type { ChainHead } from '#ledger';
import type { Phase, StepType } from '../definition/definition.js';
import type { JobConcurrency, JobRateLimit, JobState, JobStatus, StepState, StepStatus } from '../state/job-state.js';
import type { JobCore } from '../store/job-rows.js';
import { NOT_WAITING, waitingFor, type Waiting, type WaitingForView } from './waiting-for.js';

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
  progressMessage: string | null;
  currentPhase: Phase | null;
  error: ErrorView | null;
  /** What keeps it from going on, as far as that is known; null while nothing does. */
  waitingFor: WaitingForView | null;
  projectId: string | null;
  tags: string[];
  metadata: JsonObject;
  runAt: string | null;
  expiresAt: string | null;
  concurrency: JobConcurrency | null;
  rateLimit: JobRateLimit | null;
  /** The job of which this is a retry. */
  retryOf: string | null;
  scheduleId: string | null;
  cancelRequestedAt: string | null;
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
  /** How many of the attempts ended because their worker did. */
  interruptions: number;
  /** The next attempt does not start before; null when none is waited for. */
  retryAt: string | null;
  outputs: { [key: string]: Json } | null;
  /** Of a COMMAND's last attempt. */
  exitCode: number | null;
  error: ErrorView | null;
  skipReason: string | null;
  tokensInput: number;
  tokensOutput: number;
  durationMs: number | null;
  startedAt: string | null;
  completedAt: string | null;
}

/** A job as the rows, or the events that are about to become rows, have it. */
export interface StoredJob {
  state: JobState;
  head: ChainHead;
  version: number;
  waiting: Waiting;
}

export function summaryView(job: JobCore, version: number, waiting: Waiting): JobSummaryView {
  const { createdByType, createdById, errorCode, errorMessage, retryOfId } = job;
  const { id, workspaceId, kind, name, status, priority, progressPercent, progressMessage, currentPhase } = job;
  const { projectId, tags, metadata, runAt, expiresAt, concurrency, rateLimit, scheduleId, cancelRequestedAt } = job;
  const { createdAt, queuedAt, startedAt, completedAt, updatedAt } = job;
  return {
    ...{ id, workspaceId, kind, name, status, priority, progressPercent, progressMessage, currentPhase },
    error: errorView(errorCode, errorMessage),
    waitingFor: waitingFor(job, waiting),
    ...{ projectId, tags, metadata, runAt, expiresAt, concurrency, rateLimit, retryOf: retryOfId, scheduleId },
    cancelRequestedAt,
    createdBy: { type: createdByType, id: createdById },
    version,
    ...{ createdAt, queuedAt, startedAt, completedAt, updatedAt },
  };
}

export function jobView({ state, head, version, waiting }: StoredJob): JobView {
  const { definition, result, failedStepId } = state;
  const steps = state.steps.map((step) => stepView(state.id, step));
  return { ...summaryView(state, version, waiting), definition, result, failedStepId, head, steps };
}

export function stepView(jobId: string, step: StepState): StepView {
  const { id, ordinal, key, name, phase, type, status, attempt, outputs, exitCode, skipReason } = step;
  const { interruptions, retryAt, tokensInput, tokensOutput, durationMs, startedAt, completedAt } = step;
  return {
    ...{ id, jobId, ordinal, key, name, phase, type, status, attempt, interruptions, retryAt, outputs, exitCode },
    error: errorView(step.errorCode, step.errorMessage),
    ...{ skipReason, tokensInput, tokensOutput, durationMs, startedAt, completedAt },
  };
}

/** A job that was just accepted, without asking the database for what was told it a moment ago. */
export function newJobView(submitted: { state: JobState; head: ChainHead }): JobView {
  return jobView({ ...submitted, version: 1, waiting: NOT_WAITING });
}

/** The same without its steps. */
export function newSummaryView({ state }: { state: JobState }): JobSummaryView {
  return summaryView(state, 1, NOT_WAITING);
}

function errorView(code: string | null, message: string | null): ErrorView | null {
  return code === null ? null : { code, message: message ?? '' };
}
