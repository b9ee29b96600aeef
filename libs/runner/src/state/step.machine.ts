import type { StepStatus } from './job-state.js';

/**
 * What may follow what. RUNNING to PENDING is the way back of an attempt that ended without a result (its worker died, or it is retried):
 * the step waits for its next attempt.
 */
export const STEP_TRANSITIONS: Record<StepStatus, readonly StepStatus[]> = {
  PENDING: ['RUNNING', 'SKIPPED'],
  RUNNING: ['PENDING', 'COMPLETED', 'FAILED'],
  COMPLETED: [],
  FAILED: [],
  SKIPPED: [],
};

/** True for a step that will never change again. */
export function isTerminalStep(status: StepStatus): boolean {
  return STEP_TRANSITIONS[status].length === 0;
}

export function canMoveStep(from: StepStatus, to: StepStatus): boolean {
  return STEP_TRANSITIONS[from].includes(to);
}
