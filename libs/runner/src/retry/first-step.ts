import { AppError } from '#kernel';
import { definitionOf } from '../engine/decide.js';
import type { JobState, StepState } from '../state/job-state.js';

/** What a retry may be told instead of the key of a step. They win over steps of these names. */
export const RETRY_FROM = ['failed-step', 'start'] as const;

/**
 * The first step that a retry of this job is asked to run.
 * @param from one of `RETRY_FROM` or the key of a step
 * @throws AppError VALIDATION_FAILED when the job has no such step
 */
export function firstStepOf(job: JobState, from: string): StepState {
  const found =
    from === 'start'
      ? job.steps[0]
      : from === 'failed-step'
        ? failedStepOf(job)
        : job.steps.find((step) => step.key === from);
  if (found !== undefined) return found;
  const message = `from must be failed-step, start or the key of a step of the job, not "${from.slice(0, 64)}"; its steps are ${keysOf(job)}`;
  throw new AppError('VALIDATION_FAILED', message, { fields: [{ field: 'from', rule: 'unknownStep', message }] });
}

/**
 * The first step that has not done its work: it failed, or never ran because of a failure, a cancellation or a time limit. What CLEANUP
 * did counts only when nothing else is left: it runs again anyway.
 */
function failedStepOf(job: JobState): StepState | undefined {
  const open = job.steps.filter((step) => !isDone(step));
  return (
    open.find((step) => step.phase !== 'CLEANUP') ??
    open[0] ??
    job.steps.find((step) => step.phase === 'CLEANUP') ??
    job.steps.at(-1)
  );
}

function isDone(step: StepState): boolean {
  if (step.status === 'SKIPPED') return step.skipReason === 'CONDITION' || step.skipReason === 'REUSED';
  return step.status === 'COMPLETED' || (step.status === 'FAILED' && definitionOf(step).continueOnError);
}

function keysOf({ steps }: JobState): string {
  const keys = steps.slice(0, 20).map((step) => step.key);
  return keys.join(', ') + (steps.length > keys.length ? ` and ${steps.length - keys.length} more` : '');
}
