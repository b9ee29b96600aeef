import type { JobState, StepState } from '../state/job-state.js';
import { cutShort, deadlineOf, expressionContext, isExpired, stepOfTimeout } from './decide.js';

const STEP = {
  ...{ id: 's', key: 'a', type: 'COMMAND', status: 'PENDING', config: {}, attempt: 0, outputs: null, exitCode: null },
  ...{ errorCode: null, errorMessage: null, skipReason: null },
} as object as StepState;
const JOB = {
  ...{ id: 'j', name: 'n', kind: 'PIPELINE', priority: 5, workspaceId: 'w', projectId: null, tags: [], metadata: {} },
  ...{ definition: { timeoutSeconds: 60 }, startedAt: '2026-01-01T00:00:00.000Z', expiresAt: null },
  ...{ cancelRequestedAt: null, steps: [STEP] },
} as object as JobState;

describe('a running job', () => {
  it('is cut short by a request for cancellation, and by the end of its time', () => {
    expect(deadlineOf(JOB)).toBe('2026-01-01T00:01:00.000Z');
    expect(cutShort(JOB, '2026-01-01T00:00:59.999Z')).toBeNull();
    expect(cutShort(JOB, '2026-01-01T00:01:00.000Z')).toBe('TIMEOUT');
    const cancelled = { ...JOB, cancelRequestedAt: '2026-01-01T00:00:01.000Z' };
    expect(cutShort(cancelled, '2026-01-01T00:02:00.000Z')).toBe('CANCELLED');
    expect(deadlineOf({ ...JOB, definition: { timeoutSeconds: null } })).toBeNull();
    expect(deadlineOf({ ...JOB, startedAt: null })).toBeNull();
  });

  it('names the step at which its time was over', () => {
    const stopped = { ...STEP, key: 'b', errorCode: 'JOB_TIMEOUT' };
    const passedOver = { ...STEP, key: 'c', skipReason: 'TIMEOUT' };
    expect(stepOfTimeout({ ...JOB, steps: [STEP, stopped, passedOver] })?.key).toBe('b');
    expect(stepOfTimeout({ ...JOB, steps: [STEP, passedOver] })?.key).toBe('c');
    expect(stepOfTimeout({ ...JOB, steps: [{ ...STEP, errorCode: 'TIMEOUT' }] })).toBeNull();
  });

  it('cannot expire any more; one that was not started can', () => {
    const late = { ...JOB, expiresAt: '2026-01-01T00:00:10.000Z' };
    expect(isExpired(late, '2026-01-02T00:00:00.000Z')).toBe(false);
    expect(isExpired({ ...late, startedAt: null }, '2026-01-01T00:00:09.999Z')).toBe(false);
    expect(isExpired({ ...late, startedAt: null }, '2026-01-01T00:00:10.000Z')).toBe(true);
  });
});

describe('what expressions see of a step', () => {
  const seen = (change: Partial<StepState>) =>
    expressionContext({ ...JOB, steps: [{ ...STEP, ...change }] }).steps['a'];

  it('is what it is', () => {
    expect(seen({ status: 'FAILED', exitCode: 3, attempt: 2, errorCode: 'COMMAND_FAILED', errorMessage: 'x' })).toEqual(
      {
        ...{ status: 'FAILED', outputs: {}, exitCode: 3, attempt: 2 },
        error: { code: 'COMMAND_FAILED', message: 'x' },
      },
    );
    expect(seen({ status: 'SKIPPED', skipReason: 'CONDITION' })).toMatchObject({ status: 'SKIPPED', attempt: 0 });
  });

  it('is what it was, when it was taken over from an earlier job', () => {
    const reused = { status: 'SKIPPED', skipReason: 'REUSED', outputs: { rev: 'abc' } } as const;
    const complete = { status: 'COMPLETED', outputs: { rev: 'abc' }, attempt: 1, error: null };
    expect(seen(reused)).toEqual({ ...complete, exitCode: 0 });
    expect(seen({ ...reused, type: 'ARTIFACT' })).toEqual({ ...complete, exitCode: null });
  });
});
