import fc from 'fast-check';
import { histories, type History } from '#testing';
import type { EventPayloads, EventType, NewEvent } from '#ledger';
import type { JobState } from './job-state.js';
import { isTerminalJob } from './job.machine.js';
import { IllegalEventError, foldJob, reduceJob, type FoldableEvent } from './reduce.js';
import { isTerminalStep } from './step.machine.js';

const PHASES = ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'];

function foldable(event: NewEvent): FoldableEvent {
  const { actor, ...rest } = event;
  return { ...rest, workspaceId: 'workspace', jobId: 'job', actorType: actor.type, actorId: actor.id };
}

/** An event at second `at` of a minute. */
function event<Type extends EventType>(
  type: Type,
  payload: EventPayloads[Type],
  place: { phase?: string; stepId?: string; at?: number } = {},
): FoldableEvent {
  return {
    type,
    workspaceId: 'workspace',
    jobId: 'job',
    phase: place.phase ?? null,
    stepId: place.stepId ?? null,
    actorType: 'worker',
    actorId: 'host-1',
    timestamp: `2026-11-21T08:00:${String(place.at ?? 0).padStart(2, '0')}.000Z`,
    payload,
  };
}

const [A, B] = ['step-a', 'step-b'];
const created = event('job.created', {
  kind: 'PIPELINE',
  name: 'two steps',
  priority: 5,
  definition: { name: 'two steps' },
  steps: [
    { id: A, key: 'a', name: 'A', phase: 'EXECUTION', type: 'COMMAND', ordinal: 0, config: { run: 'true' } },
    { id: B, key: 'b', name: 'B', phase: 'CLEANUP', type: 'GATE', ordinal: 1, config: {} },
  ],
});
const started = [created, event('job.queued', {}, { at: 1 }), event('job.started', { workerId: 'host-1' }, { at: 2 })];
const inExecution = [...started, event('phase.skipped', { reason: 'EMPTY' }, { phase: 'SETUP', at: 3 })];
const startA = event('step.started', { key: 'a', attempt: 1 }, { stepId: A, at: 4 });
const completeA = event(
  'step.completed',
  { attempt: 1, outputs: { n: 1 }, exitCode: 0, durationMs: 7 },
  { stepId: A, at: 5 },
);
const failA = event(
  'step.failed',
  { attempt: 1, code: 'TIMEOUT', message: 'too slow', durationMs: 9, exitCode: null, outputs: {}, continued: false },
  { stepId: A, at: 6 },
);

const receipt: EventPayloads['job.cancelled'] = {
  ...{ reason: 'test', requestedAt: created.timestamp, requestedBy: { type: 'api_key', id: 'k' } },
  ...{ stopped: [], lastProcessExitAt: null, result: { steps: {} } },
};

function stepOf(state: JobState, id: string): JobState['steps'][number] {
  const step = state.steps.find((one) => one.id === id);
  if (step === undefined) throw new Error(`no step ${id}`);
  return step;
}

describe('reduceJob: what events say', () => {
  it('makes a pending job of job.created', () => {
    const state = foldJob([created]);
    expect(state).toMatchObject({
      id: 'job',
      status: 'PENDING',
      progressPercent: 0,
      createdById: 'host-1',
      createdAt: created.timestamp,
    });
    expect(state.steps.map((step) => [step.key, step.status, step.attempt])).toEqual([['a', 'PENDING', 0], ['b', 'PENDING', 0]]); // prettier-ignore
  });

  it('takes times from the events that caused them', () => {
    const state = foldJob([...inExecution, startA, completeA]);
    expect(state).toMatchObject({
      queuedAt: started[1]?.timestamp,
      startedAt: started[2]?.timestamp,
      updatedAt: completeA.timestamp,
    });
    expect(stepOf(state, A)).toMatchObject({
      startedAt: startA.timestamp,
      completedAt: completeA.timestamp,
      durationMs: 7,
      exitCode: 0,
      outputs: { n: 1 },
    });
    expect(stepOf(state, B)).toMatchObject({ startedAt: null, updatedAt: created.timestamp });
  });

  it('keeps the first start and the last attempt of a step that was retried', () => {
    const retry = event('step.retrying', { attempt: 1, reason: 'FAILED', delayMs: 0 }, { stepId: A, at: 5 });
    const again = event('step.started', { key: 'a', attempt: 2 }, { stepId: A, at: 6 });
    expect(stepOf(foldJob([...inExecution, startA, retry]), A)).toMatchObject({ status: 'PENDING', attempt: 1 });
    expect(stepOf(foldJob([...inExecution, startA, retry, again]), A)).toMatchObject({
      status: 'RUNNING',
      attempt: 2,
      startedAt: startA.timestamp,
    });
  });

  it('takes what a job was created with from job.created, and what was left out as not given', () => {
    const options = {
      ...{ projectId: 'p', tags: ['a'], metadata: { n: 1 }, runAt: created.timestamp, expiresAt: created.timestamp },
      concurrency: { key: 'k', limit: 2, onConflict: 'skip' },
      rateLimit: { key: 'r', limit: 3, periodSeconds: 4 },
    };
    const origin = { retryOf: { jobId: 'old', from: 'a' }, schedule: { scheduleId: 's', scheduledFor: 'then' } };
    const given = { ...created, payload: { ...created.payload, ...options, ...origin } };
    expect(foldJob([given])).toMatchObject({ ...options, retryOfId: 'old', scheduleId: 's' });
    expect(foldJob([created])).toMatchObject({
      ...{ projectId: null, tags: [], metadata: {}, runAt: null, expiresAt: null },
      ...{ concurrency: null, rateLimit: null, retryOfId: null, scheduleId: null },
    });
  });

  it('keeps when a cancellation was asked for first, and the result of the one that came of it', () => {
    const again = event('job.cancel_requested', { reason: 'again' }, { at: 9 });
    const first = event('job.cancel_requested', { reason: null }, { at: 7 });
    const state = foldJob([...inExecution, first, again, event('job.cancelled', receipt, { at: 10 })]);
    expect(state).toMatchObject({ status: 'CANCELLED', cancelRequestedAt: first.timestamp, result: receipt.result });
  });

  it('counts interruptions apart from attempts, and waits until the time of the next attempt', () => {
    const retryAt = '2026-11-21T09:00:00.000Z';
    const interrupted = { attempt: 1, reason: 'INTERRUPTED', delayMs: 0 } as const;
    const failed = { attempt: 2, reason: 'FAILED', delayMs: 1000, retryAt } as const;
    const second = event('step.started', { key: 'a', attempt: 2 }, { stepId: A, at: 6 });
    const third = event('step.started', { key: 'a', attempt: 3 }, { stepId: A, at: 8 });
    const waiting = [
      ...[...inExecution, startA, event('step.retrying', interrupted, { stepId: A, at: 5 }), second],
      event('step.retrying', failed, { stepId: A, at: 7 }),
    ];
    expect(stepOf(foldJob(waiting), A)).toMatchObject({ status: 'PENDING', interruptions: 1, retryAt });
    expect(stepOf(foldJob([...waiting, third]), A)).toMatchObject({
      status: 'RUNNING',
      interruptions: 1,
      retryAt: null,
    });
  });

  it('skips the steps of a job that never started, and takes over the outputs of reused ones', () => {
    const skipped = event('step.skipped', { reason: 'CANCELLED' }, { stepId: A });
    expect(stepOf(foldJob([created, skipped]), A)).toMatchObject({ status: 'SKIPPED', skipReason: 'CANCELLED' });
    const reused = event('step.skipped', { reason: 'REUSED', outputs: { n: 7 } }, { stepId: A });
    expect(stepOf(foldJob([...inExecution, reused]), A)).toMatchObject({ skipReason: 'REUSED', outputs: { n: 7 } });
  });

  it('keeps why a step failed, and why the job did', () => {
    const failed = event(
      'job.failed',
      { code: 'TIMEOUT', message: 'step "a": too slow', stepId: A, stepKey: 'a', result: { n: 1 } },
      { at: 8 },
    );
    const state = foldJob([...inExecution, startA, failA, failed]);
    expect(stepOf(state, A)).toMatchObject({
      status: 'FAILED',
      errorCode: 'TIMEOUT',
      errorMessage: 'too slow',
      durationMs: 9,
    });
    expect(state).toMatchObject({
      status: 'FAILED',
      errorCode: 'TIMEOUT',
      failedStepId: A,
      result: { n: 1 },
      currentPhase: null,
      completedAt: failed.timestamp,
    });
  });

  it('sums up tokens', () => {
    const used = event('ai.tokens_used', { model: 'm', tokensInput: 10, tokensOutput: 3 }, { stepId: A, at: 5 });
    expect(stepOf(foldJob([...inExecution, startA, used, used]), A)).toMatchObject({
      tokensInput: 20,
      tokensOutput: 6,
    });
  });

  it.each([
    [40, 40],
    [40.9, 40],
    [100, 99],
    [250, 99],
    [-5, 0],
  ])('takes reported progress of %d as %d: 100 is for jobs that are over', (percent, expected) => {
    expect(foldJob([...started, event('job.progress', { percent })]).progressPercent).toBe(expected);
  });

  it('does not let progress go back, neither by a report nor by counting steps', () => {
    const reported = [...inExecution, event('job.progress', { percent: 80 }), event('job.progress', { percent: 30 })];
    expect(foldJob(reported).progressPercent).toBe(80);
    expect(foldJob([...reported, startA, completeA]).progressPercent).toBe(80);
    expect(foldJob([...inExecution, startA, completeA]).progressPercent).toBe(50);
  });
});

describe('reduceJob: what cannot be', () => {
  const asked = event('job.cancel_requested', { reason: 'test' });
  const cancelled = [created, asked, event('job.cancelled', receipt)];

  it.each<[string, FoldableEvent[], RegExp]>([
    ['no events', [], /without events/],
    ['another beginning', started.slice(1), /begins with job\.created/],
    ['a second job.created', [created, created], /only be the first/],
    ['a start before the queue', [created, ...started.slice(2)], /PENDING cannot become RUNNING/],
    ['being queued twice', [...started.slice(0, 2), ...started.slice(1, 2)], /QUEUED cannot become QUEUED/],
    ['a step of a job that does not run', [created, startA], /PENDING, not RUNNING/],
    ['a step of another job', [...inExecution, { ...startA, stepId: 'foreign' }], /no step foreign/],
    ['a step of another phase', [...started, startA], /belongs to EXECUTION, and SETUP is the current phase/],
    ['a step that starts twice', [...inExecution, startA, startA], /"a" is RUNNING and cannot become RUNNING/],
    ['an end without a start', [...inExecution, completeA], /"a" is PENDING and cannot become COMPLETED/],
    ['a second end', [...inExecution, startA, completeA, failA], /"a" is COMPLETED and cannot become FAILED/],
    [
      'output of a job that does not run',
      [created, event('step.progress', { percent: 1 }, { stepId: A })],
      /not RUNNING/,
    ],
    [
      'a phase out of order',
      [...started, event('phase.started', { workerId: 'w', epoch: 1 }, { phase: 'CLEANUP' })],
      /not the current phase/,
    ],
    [
      'a phase that ended already',
      [...inExecution, event('phase.completed', { durationMs: 1 }, { phase: 'SETUP' })],
      /not the current phase/,
    ],
    [
      'an unknown phase',
      [...started, event('phase.started', { workerId: 'w', epoch: 1 }, { phase: 'LATER' })],
      /phase/,
    ],
    ['a type that nobody knows', [created, { ...created, type: 'job.exploded' }], /unknown event type job\.exploded/],
    ['an erased payload', [{ ...created, payload: null }], /erased/],
    ['a cancellation that nobody asked for', [created, event('job.cancelled', receipt)], /nobody asked for it/],
    [
      'anything after the end',
      [...cancelled, event('credits.released', { transactionId: 't', credits: 1 })],
      /CANCELLED, nothing can follow/,
    ],
  ])('refuses %s', (_name, events, message) => {
    expect(() => foldJob(events)).toThrow(IllegalEventError);
    expect(() => foldJob(events)).toThrow(message);
  });
});

describe('reduceJob: any legal history', () => {
  function check(property: (events: FoldableEvent[], history: History) => void): void {
    // Histories are long, and shrinking one takes for ever: the first that fails is good enough.
    const told = { endOnFailure: true };
    fc.assert(
      fc.property(histories(), (history) => property(history.events.map(foldable), history)),
      told,
    );
  }

  /** The state after each event. */
  function everyState(events: FoldableEvent[]): JobState[] {
    let state: JobState | null = null;
    return events.map((next) => (state = reduceJob(state, next)));
  }

  it('ends as the one who made it up says', () => {
    check((events, { expected }) => {
      const state = foldJob(events);
      expect(state.status).toBe(expected.status);
      expect(new Map(state.steps.map(({ id, status, attempt }) => [id, { status, attempt }]))).toEqual(expected.steps);
    });
  });

  it('makes up every kind of end', () => {
    const seen = new Set<string>();
    for (const { expected, events } of fc.sample(histories(), { numRuns: 300, seed: 1 })) {
      seen.add(expected.status);
      for (const { status } of expected.steps.values()) seen.add(`step ${status}`);
      for (const { type } of events) seen.add(type);
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'COMPLETED',
        'FAILED',
        'CANCELLED',
        'step COMPLETED',
        'step FAILED',
        'step SKIPPED',
        'step.retrying',
        'phase.failed',
        'phase.skipped',
      ]),
    );
  });

  it('folds to the same at once and in two parts, and the state of the first part stays as it was', () => {
    check((events) => {
      const whole = foldJob(events);
      everyState(events).forEach((start, index) => {
        const before = JSON.stringify(start);
        const resumed = events.slice(index + 1).reduce((state: JobState, next) => reduceJob(state, next), start);
        expect(JSON.stringify(resumed)).toBe(JSON.stringify(whole));
        expect(JSON.stringify(start)).toBe(before);
      });
    });
  });

  it('leaves the steps that an event is not about as the same objects', () => {
    check((events) => {
      everyState(events).reduce((before, after, index) => {
        const replaced = after.steps.filter((step, at) => step !== before.steps[at]).map((step) => step.id);
        expect([[], [events[index]?.stepId]]).toContainEqual(replaced);
        return after;
      });
    });
  });

  it('moves progress, times and phases only forward', () => {
    check((events) => {
      everyState(events).reduce((before, after) => {
        expect(after.progressPercent).toBeGreaterThanOrEqual(before.progressPercent);
        expect(after.updatedAt >= before.updatedAt).toBe(true);
        if (before.currentPhase !== null && after.currentPhase !== null) {
          expect(PHASES.indexOf(after.currentPhase)).toBeGreaterThanOrEqual(PHASES.indexOf(before.currentPhase));
        }
        return after;
      });
    });
  });

  it('keeps progress below 100 until the job is completed, and is 100 then', () => {
    check((events) => {
      for (const state of everyState(events)) expect(state.progressPercent === 100).toBe(state.status === 'COMPLETED');
    });
  });

  it('is over exactly when it says when, and steps that ended say when as well', () => {
    check((events) => {
      for (const state of everyState(events)) {
        expect(isTerminalJob(state.status)).toBe(state.completedAt !== null);
        if (state.status !== 'RUNNING') expect(state.currentPhase).toBeNull();
        for (const step of state.steps) expect(isTerminalStep(step.status)).toBe(step.completedAt !== null);
      }
    });
  });

  it('leaves no step open in a job that was completed', () => {
    check((events) => {
      const state = foldJob(events);
      if (state.status === 'COMPLETED') expect(state.steps.every((step) => isTerminalStep(step.status))).toBe(true);
    });
  });

  it('takes nothing more after the end', () => {
    check((events) => {
      const over = foldJob(events);
      for (const next of events) expect(() => reduceJob(over, next)).toThrow(IllegalEventError);
    });
  });

  it('takes no event twice in a row but those that say nothing about states', () => {
    const repeatable = /^(job\.(progress|cancel_requested)|phase\.started|step\.progress|ai\.|gate\.|checkpoint\.)/;
    check((events) => {
      everyState(events).forEach((state, index) => {
        const last = events[index];
        if (last !== undefined && !repeatable.test(last.type))
          expect(() => reduceJob(state, last)).toThrow(IllegalEventError);
      });
    });
  });
});
