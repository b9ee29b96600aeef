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
  const payload = event.payload as EventPayloads['job.created'];
  return {
    id: event.jobId,
    workspaceId: event.workspaceId,
    kind: payload.kind,
    name: payload.name,
    status: 'PENDING',
    priority: payload.priority,
    progressPercent: 0,
    progressMessage: null,
    currentPhase: null,
    definition: payload.definition,
    result: null,
    errorCode: null,
    errorMessage: null,
    failedStepId: null,
    projectId: payload.projectId ?? null,
    tags: payload.tags ?? [],
    metadata: payload.metadata ?? {},
    runAt: payload.runAt ?? null,
    expiresAt: payload.expiresAt ?? null,
    concurrency: payload.concurrency ?? null,
    rateLimit: payload.rateLimit ?? null,
    retryOfId: payload.retryOf?.jobId ?? null,
    scheduleId: payload.schedule?.scheduleId ?? null,
    cancelRequestedAt: null,
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
    interruptions: 0,
    retryAt: null,
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
  if (!isKnown(event.type)) throw new IllegalEventError(`unknown event type ${event.type}`);
  // The payload has the shape that the catalogue gives its type: what was appended was checked by the compiler.
  return CONSEQUENCES[event.type](state, event.payload as never, event);
}

type Consequence<Type extends EventType> = (
  state: JobState,
  payload: EventPayloads[Type],
  event: FoldableEvent,
) => JobState;

const changesNothing = (state: JobState): JobState => state;
const happensWhileRunning = (state: JobState, _payload: object, event: FoldableEvent): JobState =>
  running(state, event);
const endsPhase = (state: JobState, _payload: object, event: FoldableEvent): JobState => ({
  ...inPhase(running(state, event), event),
  currentPhase: phaseAfter(phaseOf(event.phase)),
});

/** What follows from each type of event. A type that was forgotten does not compile. */
const CONSEQUENCES: { [Type in EventType]: Consequence<Type> } = {
  'job.created': () => {
    throw new IllegalEventError('job.created can only be the first event');
  },
  'job.queued': (state, _payload, event) => ({ ...moveJob(state, 'QUEUED', event), queuedAt: event.timestamp }),
  'job.started': (state, _payload, event) => ({
    ...moveJob(state, 'RUNNING', event),
    currentPhase: 'SETUP',
    startedAt: event.timestamp,
  }),
  'job.progress': (state, { percent, message }, event) => ({
    ...advanced(running(state, event), percent),
    progressMessage: message ?? null,
  }),
  'job.completed': (state, { result }, event) => ({
    ...endJob(state, 'COMPLETED', event),
    result,
    progressPercent: 100,
  }),
  'job.failed': (state, { code, message, stepId, result }, event) => ({
    ...endJob(state, 'FAILED', event),
    errorCode: code,
    errorMessage: message,
    failedStepId: stepId,
    result,
  }),
  'job.cancel_requested': (state, _payload, event) => ({
    ...state,
    cancelRequestedAt: state.cancelRequestedAt ?? event.timestamp,
  }),
  'job.cancelled': (state, { result }, event) => ({
    ...endJob(cancelRequested(state, event), 'CANCELLED', event),
    result,
  }),

  'phase.started': (state, _payload, event) => inPhase(running(state, event), event),
  'phase.completed': endsPhase,
  'phase.failed': endsPhase,
  'phase.skipped': endsPhase,

  'checkpoint.created': happensWhileRunning,
  'checkpoint.skipped': happensWhileRunning,
  'checkpoint.restored': happensWhileRunning,

  'step.started': (state, { attempt }, event) =>
    changeStep(state, event, (step) => ({
      ...moveStep(ofPhase(step, state.currentPhase, event), 'RUNNING', event),
      attempt,
      retryAt: null,
      startedAt: step.startedAt ?? event.timestamp,
    })),
  'step.completed': (state, { outputs, exitCode, durationMs }, event) =>
    changeStep(state, event, (step) => ({ ...endStep(step, 'COMPLETED', event), outputs, exitCode, durationMs })),
  'step.failed': (state, { outputs, exitCode, durationMs, code, message }, event) =>
    changeStep(state, event, (step) => ({
      ...endStep(step, 'FAILED', event),
      ...{ outputs, exitCode, durationMs, errorCode: code, errorMessage: message },
    })),
  'step.skipped': (state, { reason, outputs }, event) =>
    alterStep(state, event, (step) => ({
      ...{ ...endStep(step, 'SKIPPED', event), retryAt: null },
      ...{ skipReason: reason, outputs: outputs ?? step.outputs },
    })),
  'step.retrying': (state, { reason, retryAt }, event) =>
    changeStep(state, event, (step) => ({
      ...moveStep(step, 'PENDING', event),
      interruptions: step.interruptions + (reason === 'INTERRUPTED' ? 1 : 0),
      retryAt: retryAt ?? null,
    })),
  'step.progress': happensWhileRunning,
  'step.output': happensWhileRunning,

  'gate.started': happensWhileRunning,
  'gate.passed': happensWhileRunning,
  'gate.failed': happensWhileRunning,
  'gate.expired': happensWhileRunning,

  'approval.requested': changesNothing,
  'approval.granted': changesNothing,
  'approval.rejected': changesNothing,

  'ai.tool_called': happensWhileRunning,
  'ai.tokens_used': (state, { tokensInput, tokensOutput }, event) =>
    changeStep(state, event, (step) => ({
      ...step,
      tokensInput: step.tokensInput + tokensInput,
      tokensOutput: step.tokensOutput + tokensOutput,
    })),
  'ai.budget_exceeded': happensWhileRunning,

  'artifact.created': happensWhileRunning,

  'credits.held': changesNothing,
  'credits.captured': changesNothing,
  'credits.released': changesNothing,
};

function isKnown(type: string): type is EventType {
  return Object.hasOwn(CONSEQUENCES, type);
}

/** Changes the step of a running job that the event is about; counts progress anew when one has ended. */
function changeStep(state: JobState, event: FoldableEvent, change: (step: StepState) => StepState): JobState {
  return alterStep(running(state, event), event, change);
}

/** As `changeStep`, of a job that may not have been started: its steps are skipped when it never will be. */
function alterStep(state: JobState, event: FoldableEvent, change: (step: StepState) => StepState): JobState {
  const index = state.steps.findIndex((step) => step.id === event.stepId);
  const step = state.steps[index];
  if (step === undefined) throw new IllegalEventError(`${event.type}: the job has no step ${event.stepId}`);
  const steps = state.steps.with(index, { ...change(step), updatedAt: event.timestamp });
  const over = steps.filter(({ status }) => isTerminalStep(status)).length;
  return advanced({ ...state, steps }, (100 * over) / steps.length);
}

/** Progress is the share of steps that are over, unless somebody knew better. It never goes back, and is 100 only when the job is over. */
function advanced(state: JobState, percent: number): JobState {
  return { ...state, progressPercent: Math.max(state.progressPercent, Math.min(99, Math.floor(percent))) };
}

function moveJob(state: JobState, to: JobStatus, { type }: FoldableEvent): JobState {
  if (!canMoveJob(state.status, to)) {
    throw new IllegalEventError(`${type}: a job that is ${state.status} cannot become ${to}`);
  }
  return { ...state, status: to };
}

function endJob(state: JobState, to: JobStatus, event: FoldableEvent): JobState {
  return { ...moveJob(state, to, event), currentPhase: null, completedAt: event.timestamp };
}

/** A cancellation is the end of a request: nobody is cancelled who was not asked for. */
function cancelRequested(state: JobState, { type }: FoldableEvent): JobState {
  if (state.cancelRequestedAt === null) throw new IllegalEventError(`${type}: nobody asked for it`);
  return state;
}

function moveStep(step: StepState, to: StepStatus, { type }: FoldableEvent): StepState {
  if (!canMoveStep(step.status, to)) {
    throw new IllegalEventError(`${type}: step "${step.key}" is ${step.status} and cannot become ${to}`);
  }
  return { ...step, status: to };
}

function endStep(step: StepState, to: StepStatus, event: FoldableEvent): StepState {
  return { ...moveStep(step, to, event), completedAt: event.timestamp };
}

function running(state: JobState, { type }: FoldableEvent): JobState {
  if (state.status !== 'RUNNING') throw new IllegalEventError(`${type}: the job is ${state.status}, not RUNNING`);
  return state;
}

/** A phase begins and ends only while it is the current one. */
function inPhase(state: JobState, { type, phase }: FoldableEvent): JobState {
  if (state.currentPhase !== phase) {
    throw new IllegalEventError(`${type}: ${phase} is not the current phase, ${state.currentPhase} is`);
  }
  return state;
}

/** A step starts only in its own phase. */
function ofPhase(step: StepState, current: Phase | null, { type }: FoldableEvent): StepState {
  if (step.phase !== current) {
    throw new IllegalEventError(
      `${type}: step "${step.key}" belongs to ${step.phase}, and ${current} is the current phase`,
    );
  }
  return step;
}

function phaseAfter(phase: Phase): Phase | null {
  return PHASES[PHASES.indexOf(phase) + 1] ?? null;
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
