import type { EventPayloads, EventType } from '#ledger';
import { PHASES, STEP_TYPES, type Phase, type StepType } from '../definition/definition.js';
import type { JobState, JobStatus, StepState, StepStatus } from './job-state.js';
import { canMoveJob, isTerminalJob } from './job.machine.js';
import { canMoveStep, isTerminalStep } from './step.machine.js';

/** What the reducer needs to know of an event: new ones and stored ones have all of it. */
export interface FoldableEvent {
  type: string;
  workspaceId: string;
  jobId: string;
  phase: string | null;
  stepId: string | null;
  actorType: string;
  actorId: string;
  timestamp: string;
  payload: object | null;
}

/** An event that cannot follow the ones before it. In a verified ledger of ours this does not happen. */
export class IllegalEventError extends Error {
  override readonly name = 'IllegalEventError';
}

/** Folds a whole history. @throws IllegalEventError when the history is not one that the machines allow */
export function foldJob(events: Iterable<FoldableEvent>): JobState {
  let state: JobState | null = null;
  for (const event of events) state = reduceJob(state, event);
  if (state === null) throw new IllegalEventError('a job without events');
  return state;
}

/**
 * One step of the fold: the state after `event`. Pure; the given state is not changed.
 * @throws IllegalEventError when the machines do not allow the event in this state
 */
export function reduceJob(state: JobState | null, event: FoldableEvent): JobState {
  if (event.payload === null)
    throw new IllegalEventError(`${event.type}: its payload was erased, so the job cannot be folded`);
  if (state === null) return created(event);
  if (isTerminalJob(state.status))
    throw new IllegalEventError(`${event.type}: the job is ${state.status}, nothing can follow`);
  return { ...apply(state, event), updatedAt: event.timestamp };
}

function created(event: FoldableEvent): JobState {
  if (event.type !== 'job.created')
    throw new IllegalEventError(`a history begins with job.created, not with ${event.type}`);
  const payload = payloadOf(event, 'job.created');
  return {
    id: event.jobId,
    workspaceId: event.workspaceId,
    kind: payload.kind,
    name: payload.name,
    status: 'PENDING',
    priority: payload.priority,
    progressPercent: 0,
    currentPhase: null,
    definition: payload.definition,
    result: null,
    errorCode: null,
    errorMessage: null,
    failedStepId: null,
    createdByType: event.actorType,
    createdById: event.actorId,
    createdAt: event.timestamp,
    queuedAt: null,
    startedAt: null,
    completedAt: null,
    updatedAt: event.timestamp,
    steps: payload.steps.map((step) => newStep(step, event.timestamp)),
  };
}

function newStep(step: EventPayloads['job.created']['steps'][number], timestamp: string): StepState {
  return {
    id: step.id,
    ordinal: step.ordinal,
    key: step.key,
    name: step.name,
    phase: phaseOf(step.phase),
    type: stepTypeOf(step.type),
    status: 'PENDING',
    config: step.config,
    attempt: 0,
    outputs: null,
    exitCode: null,
    errorCode: null,
    errorMessage: null,
    skipReason: null,
    tokensInput: 0,
    tokensOutput: 0,
    durationMs: null,
    createdAt: timestamp,
    startedAt: null,
    completedAt: null,
    updatedAt: timestamp,
  };
}

function apply(state: JobState, event: FoldableEvent): JobState {
  const type = event.type as EventType;
  const at = event.timestamp;
  switch (type) {
    case 'job.created':
      throw new IllegalEventError('job.created can only be the first event');
    case 'job.queued':
      return { ...moveJob(state, 'QUEUED', type), queuedAt: at };
    case 'job.started':
      return { ...moveJob(state, 'RUNNING', type), currentPhase: 'SETUP', startedAt: at };
    case 'job.progress':
      return advanced(running(state, type), payloadOf(event, type).percent);
    case 'job.completed':
      return {
        ...moveJob(state, 'COMPLETED', type),
        result: payloadOf(event, type).result,
        progressPercent: 100,
        currentPhase: null,
        completedAt: at,
      };
    case 'job.failed': {
      const { code, message, stepId, result } = payloadOf(event, type);
      return {
        ...moveJob(state, 'FAILED', type),
        errorCode: code,
        errorMessage: message,
        failedStepId: stepId,
        result,
        currentPhase: null,
        completedAt: at,
      };
    }
    case 'job.cancelled':
      return { ...moveJob(state, 'CANCELLED', type), currentPhase: null, completedAt: at };
    case 'phase.started':
      return inPhase(running(state, type), event);
    case 'phase.completed':
    case 'phase.failed':
    case 'phase.skipped':
      return { ...inPhase(running(state, type), event), currentPhase: phaseAfter(phaseOf(event.phase)) };
    case 'step.started':
    case 'step.completed':
    case 'step.failed':
    case 'step.skipped':
    case 'step.retrying':
    case 'ai.tokens_used':
      return withProgress(changeStep(running(state, type), event, (step) => applyToStep(step, type, event)));
    case 'step.progress':
    case 'step.output':
    case 'gate.started':
    case 'gate.passed':
    case 'gate.failed':
    case 'gate.expired':
    case 'ai.tool_called':
    case 'ai.budget_exceeded':
    case 'artifact.created':
      return running(state, type);
    case 'job.cancel_requested':
    case 'approval.requested':
    case 'approval.granted':
    case 'approval.rejected':
    case 'credits.held':
    case 'credits.captured':
    case 'credits.released':
      return state;
    default:
      return unknownType(type);
  }
}

function applyToStep(
  step: StepState,
  type: 'step.started' | 'step.completed' | 'step.failed' | 'step.skipped' | 'step.retrying' | 'ai.tokens_used',
  event: FoldableEvent,
): StepState {
  const at = event.timestamp;
  switch (type) {
    case 'step.started':
      return {
        ...moveStep(step, 'RUNNING', type),
        attempt: payloadOf(event, type).attempt,
        startedAt: step.startedAt ?? at,
      };
    case 'step.completed': {
      const { outputs, exitCode, durationMs } = payloadOf(event, type);
      return { ...moveStep(step, 'COMPLETED', type), outputs, exitCode, durationMs, completedAt: at };
    }
    case 'step.failed': {
      const { outputs, exitCode, durationMs, code, message } = payloadOf(event, type);
      return {
        ...moveStep(step, 'FAILED', type),
        outputs,
        exitCode,
        durationMs,
        errorCode: code,
        errorMessage: message,
        completedAt: at,
      };
    }
    case 'step.skipped':
      return { ...moveStep(step, 'SKIPPED', type), skipReason: payloadOf(event, type).reason, completedAt: at };
    case 'step.retrying':
      return moveStep(step, 'PENDING', type);
    case 'ai.tokens_used': {
      const { tokensInput, tokensOutput } = payloadOf(event, type);
      return { ...step, tokensInput: step.tokensInput + tokensInput, tokensOutput: step.tokensOutput + tokensOutput };
    }
  }
}

function changeStep(state: JobState, event: FoldableEvent, change: (step: StepState) => StepState): JobState {
  const index = state.steps.findIndex((step) => step.id === event.stepId);
  const step = state.steps[index];
  if (step === undefined) throw new IllegalEventError(`${event.type}: the job has no step ${event.stepId}`);
  if (event.type === 'step.started' && step.phase !== state.currentPhase) {
    throw new IllegalEventError(
      `${event.type}: step "${step.key}" belongs to ${step.phase}, and ${state.currentPhase} is the current phase`,
    );
  }
  return { ...state, steps: state.steps.with(index, { ...change(step), updatedAt: event.timestamp }) };
}

/** A phase begins and ends only while it is the current one. */
function inPhase(state: JobState, event: FoldableEvent): JobState {
  if (state.currentPhase !== event.phase)
    throw new IllegalEventError(`${event.type}: ${event.phase} is not the current phase, ${state.currentPhase} is`);
  return state;
}

function phaseAfter(phase: Phase): Phase | null {
  return PHASES[PHASES.indexOf(phase) + 1] ?? null;
}

/** Progress is the share of steps that are over, unless somebody knew better. */
function withProgress(state: JobState): JobState {
  const over = state.steps.filter((step) => isTerminalStep(step.status)).length;
  return advanced(state, (100 * over) / state.steps.length);
}

/** Progress never goes back, and is 100 only when the job is over. */
function advanced(state: JobState, percent: number): JobState {
  return { ...state, progressPercent: Math.max(state.progressPercent, Math.min(99, Math.floor(percent))) };
}

function moveJob(state: JobState, to: JobStatus, type: EventType): JobState {
  if (!canMoveJob(state.status, to))
    throw new IllegalEventError(`${type}: a job that is ${state.status} cannot become ${to}`);
  return { ...state, status: to };
}

function moveStep(step: StepState, to: StepStatus, type: EventType): StepState {
  if (!canMoveStep(step.status, to))
    throw new IllegalEventError(`${type}: step "${step.key}" is ${step.status} and cannot become ${to}`);
  return { ...step, status: to };
}

function running(state: JobState, type: EventType): JobState {
  if (state.status !== 'RUNNING') throw new IllegalEventError(`${type}: the job is ${state.status}, not RUNNING`);
  return state;
}

function phaseOf(text: string | null): Phase {
  const phase = PHASES.find((known) => known === text);
  if (phase === undefined) throw new IllegalEventError(`unknown phase ${text}`);
  return phase;
}

function stepTypeOf(text: string): StepType {
  const type = STEP_TYPES.find((known) => known === text);
  if (type === undefined) throw new IllegalEventError(`unknown step type ${text}`);
  return type;
}

/** The payload under the shape that the catalogue gives its type: what was appended was checked by the compiler. */
function payloadOf<Type extends EventType>(event: FoldableEvent, _type: Type): EventPayloads[Type] {
  return event.payload as EventPayloads[Type];
}

function unknownType(type: never): never {
  throw new IllegalEventError(`unknown event type ${String(type)}`);
}
