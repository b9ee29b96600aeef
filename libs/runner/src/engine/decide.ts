import type { JsonObject } from '#kernel';
import type { Phase, StepDefinition } from '../definition/definition.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import type { JobState, StepState } from '../state/job-state.js';
import { isTerminalStep } from '../state/step.machine.js';

/** What a step of an earlier release does not say of itself. */
const DEFAULTS = { retry: null, onInterrupt: 'retry', network: 'none', approval: null };

/** What the job's definition says of this step. */
export function definitionOf({ config }: StepState): StepDefinition {
  const complete = 'retry' in config || 'approval' in config || config['type'] === 'ARTIFACT';
  return (complete ? config : { ...DEFAULTS, ...config }) as object as StepDefinition;
}

export function stepsOf(state: JobState, phase: Phase): StepState[] {
  return state.steps.filter((step) => step.phase === phase);
}

/** The failure that decides about the job: the first in the order of running that its definition does not tolerate. */
export function firstFailure(state: JobState): StepState | null {
  return state.steps.find((step) => step.status === 'FAILED' && step.config['continueOnError'] !== true) ?? null;
}

/** True when nothing in the phase is left to do. */
export function isPhaseOver(state: JobState, phase: Phase): boolean {
  return stepsOf(state, phase).every((step) => isTerminalStep(step.status));
}

/** Why a running job must not go on with its work, so that only CLEANUP is left to run. */
export type CutShort = 'CANCELLED' | 'TIMEOUT';

/** How long the job may run, CLEANUP apart; null for no limit. */
export function timeoutSecondsOf({ definition }: JobState): number | null {
  const seconds = definition['timeoutSeconds'];
  return typeof seconds === 'number' ? seconds : null;
}

/** When the time of a running job is over; null for none. RFC 3339. */
export function deadlineOf(state: JobState): string | null {
  const seconds = timeoutSecondsOf(state);
  if (seconds === null || state.startedAt === null) return null;
  return new Date(Date.parse(state.startedAt) + seconds * 1_000).toISOString();
}

/** @param now RFC 3339 */
export function cutShort(state: JobState, now: string): CutShort | null {
  if (state.cancelRequestedAt !== null) return 'CANCELLED';
  const deadline = deadlineOf(state);
  return deadline !== null && now >= deadline ? 'TIMEOUT' : null;
}

/** The step at which the job's time was over: it was ended, or it is the first that did not run any more. */
export function stepOfTimeout(state: JobState): StepState | null {
  return state.steps.find((step) => step.errorCode === 'JOB_TIMEOUT' || step.skipReason === 'TIMEOUT') ?? null;
}

/** True for a job that was to be started by a time that has passed. @param now RFC 3339 */
export function isExpired(state: JobState, now: string): boolean {
  return state.startedAt === null && state.expiresAt !== null && now >= state.expiresAt;
}

/** What expressions may see of the job while it runs. */
export function expressionContext(state: JobState): ExpressionContext {
  const steps = state.steps.map((step) => [step.key, stepView(step)] as const);
  const { id, name, kind, priority, workspaceId, projectId, tags, metadata } = state;
  const failed = firstFailure(state) !== null;
  return {
    steps: Object.fromEntries(steps),
    job: { id, name, kind, priority, workspaceId, projectId, tags, metadata, failed },
  };
}

/** A step that was taken over from an earlier job looks as it did there: what completed is still complete. */
function stepView(step: StepState): ExpressionContext['steps'][string] {
  if (step.skipReason === 'REUSED') {
    const exitCode = step.type === 'COMMAND' ? 0 : null;
    return { status: 'COMPLETED', outputs: step.outputs ?? {}, exitCode, attempt: 1, error: null };
  }
  const { status, outputs, exitCode, attempt, errorCode, errorMessage } = step;
  const error = errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' };
  return { status, outputs: outputs ?? {}, exitCode, attempt, error };
}

/** The figures that a finished job ends with. */
export function resultOf(state: JobState, endedAt: string): JsonObject {
  const count = (status: StepState['status']): number => state.steps.filter((step) => step.status === status).length;
  return {
    steps: { completed: count('COMPLETED'), failed: count('FAILED'), skipped: count('SKIPPED') },
    durationMs: Date.parse(endedAt) - Date.parse(state.startedAt ?? endedAt),
  };
}
