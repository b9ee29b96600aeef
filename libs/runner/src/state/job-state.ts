import type { JsonObject, Json } from '#kernel';
import type { Phase, StepType } from '../definition/definition.js';

export const JOB_STATUSES = ['PENDING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const STEP_STATUSES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED'] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

/**
 * A job and its steps as the ledger tells them: the fold of the job's events. The rows `runner_jobs` and `job_steps` hold exactly this,
 * and beside it only the bookkeeping of delivery (epoch, lease, offers, version), which is no part of the job's history.
 */
export interface JobState {
  id: string;
  workspaceId: string;
  kind: string;
  name: string;
  status: JobStatus;
  priority: number;
  progressPercent: number;
  /** What a command said last of how far it is. */
  progressMessage: string | null;
  /** The phase under way, or the one that comes next; null before the start and after the last. */
  currentPhase: Phase | null;
  definition: JsonObject;
  result: JsonObject | null;
  errorCode: string | null;
  errorMessage: string | null;
  failedStepId: string | null;
  projectId: string | null;
  tags: string[];
  metadata: JsonObject;
  /** Not admitted before. */
  runAt: string | null;
  /** Fails when it was not started by then. */
  expiresAt: string | null;
  concurrency: JobConcurrency | null;
  rateLimit: JobRateLimit | null;
  /** The job of which this is a retry. */
  retryOfId: string | null;
  scheduleId: string | null;
  /** When somebody first asked for its cancellation. */
  cancelRequestedAt: string | null;
  createdByType: string;
  createdById: string;
  createdAt: string;
  queuedAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
  updatedAt: string;
  /** In the order in which they run. */
  steps: StepState[];
}

/** A concurrency rule with its key filled in. */
export interface JobConcurrency {
  key: string;
  limit: number;
  onConflict: string;
}

/** A rate limit with its key filled in. */
export interface JobRateLimit {
  key: string;
  limit: number;
  periodSeconds: number;
}

export interface StepState {
  id: string;
  ordinal: number;
  key: string;
  name: string;
  phase: Phase;
  type: StepType;
  status: StepStatus;
  config: JsonObject;
  attempt: number;
  /** How many of the attempts ended because their worker did. */
  interruptions: number;
  /** The next attempt does not start before; null when none is waited for. */
  retryAt: string | null;
  outputs: { [key: string]: Json } | null;
  /** Of a COMMAND's last attempt; null for other types and where a signal or a limit ended it. */
  exitCode: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  skipReason: string | null;
  tokensInput: number;
  tokensOutput: number;
  durationMs: number | null;
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  updatedAt: string;
}
