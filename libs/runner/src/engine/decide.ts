import type { JsonObject } from '#kernel';
import type { Phase, StepDefinition } from '../definition/definition.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import type { JobState, StepState } from '../state/job-state.js';
import { isTerminalStep } from '../state/step.machine.js';

/** What the job's definition says of this step. */
export function definitionOf(step: StepState): StepDefinition {
  return step.config as object as StepDefinition;
}

export function stepsOf(state: JobState, phase: Phase): StepState[] {
  return state.steps.filter((step) => step.phase === phase);
}

/** The failure that decides about the job: the first in the order of running that its definition does not tolerate. */
export function firstFailure(state: JobState): StepState | null {
  return state.steps.find((step) => step.status === 'FAILED' && !definitionOf(step).continueOnError) ?? null;
}

/** True when nothing in the phase is left to do. */
export function isPhaseOver(state: JobState, phase: Phase): boolean {
  return stepsOf(state, phase).every((step) => isTerminalStep(step.status));
}

/** What expressions may see of the job while it runs. */
export function expressionContext(state: JobState): ExpressionContext {
  const steps = state.steps.map((step) => [step.key, stepView(step)] as const);
  return {
    steps: Object.fromEntries(steps),
    job: {
      id: state.id,
      name: state.name,
      kind: state.kind,
      priority: state.priority,
      workspaceId: state.workspaceId,
      failed: firstFailure(state) !== null,
    },
  };
}

function stepView(step: StepState): ExpressionContext['steps'][string] {
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
