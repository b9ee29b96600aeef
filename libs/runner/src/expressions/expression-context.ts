import type { JsonObject } from '#kernel';
import type { StepStatus } from '../state/job-state.js';

/** What an expression can see of one step. A step that was skipped or failed has no outputs. */
export interface StepView {
  status: StepStatus;
  outputs: JsonObject;
  exitCode: number | null;
  attempt: number;
  error: { code: string; message: string } | null;
}

/** What an expression can see of the job. `failed` is true as soon as a step has failed the job. */
export interface JobView {
  id: string;
  name: string;
  kind: string;
  priority: number;
  workspaceId: string;
  /** Null where the job belongs to no project. */
  projectId: string | null;
  tags: string[];
  metadata: JsonObject;
  failed: boolean;
}

/** The two variables of every expression. `steps` holds the steps earlier in run order, by key. */
export interface ExpressionContext {
  steps: Record<string, StepView>;
  job: JobView;
}

export const STEP_FIELDS: readonly string[] = [
  'status',
  'outputs',
  'exitCode',
  'attempt',
  'error',
] satisfies (keyof StepView)[];
export const JOB_FIELDS: readonly string[] = [
  'id',
  'name',
  'kind',
  'priority',
  'workspaceId',
  'projectId',
  'tags',
  'metadata',
  'failed',
] satisfies (keyof JobView)[];
