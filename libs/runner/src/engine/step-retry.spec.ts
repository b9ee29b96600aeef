import fc from 'fast-check';
import type { CommandStepDefinition, RetryRule } from '../definition/definition.js';
import type { StepState } from '../state/job-state.js';
import { MAX_INTERRUPTIONS, pauseAfterFailure, pauseAfterInterruption } from './step-retry.js';

const RULE: RetryRule = { maxAttempts: 4, backoffMs: 1_000, factor: 2, maxBackoffMs: 3_000, jitter: 0, on: null };

function step(retry: RetryRule | null, attempt: number, interruptions = 0): StepState {
  return { key: 'a', attempt, interruptions, config: { retry } } as object as StepState;
}

function command(onInterrupt: 'retry' | 'fail'): CommandStepDefinition {
  return { type: 'COMMAND', onInterrupt } as CommandStepDefinition;
}

const FAILED = { code: 'COMMAND_FAILED', exitCode: 1 } as const;

describe('the pause after a failed attempt', () => {
  it('grows by the factor up to its bound, and ends with the attempts', () => {
    const pauses = [1, 2, 3, 4, 5].map((attempt) => pauseAfterFailure(step(RULE, attempt), FAILED, 0.5));
    expect(pauses).toEqual([1_000, 2_000, 3_000, null, null]);
  });

  it('does not exist without a rule', () => {
    expect(pauseAfterFailure(step(null, 1), FAILED, 0.5)).toBeNull();
    expect(pauseAfterFailure({ ...step(null, 1), config: {} }, FAILED, 0.5)).toBeNull();
  });

  it('exists only for the exit codes and reasons that the rule names', () => {
    const on = (list: RetryRule['on'], code: 'COMMAND_FAILED' | 'TIMEOUT' | 'MEMORY_LIMIT', exitCode: number | null) =>
      pauseAfterFailure(step({ ...RULE, on: list }, 1), { code, exitCode }, 0.5) !== null;
    expect(on([75, 'TIMEOUT'], 'COMMAND_FAILED', 75)).toBe(true);
    expect(on([75, 'TIMEOUT'], 'COMMAND_FAILED', 1)).toBe(false);
    expect(on([75, 'TIMEOUT'], 'TIMEOUT', null)).toBe(true);
    expect(on([75], 'TIMEOUT', 75)).toBe(false);
    expect(on([137], 'MEMORY_LIMIT', 137)).toBe(false);
    expect(on(null, 'MEMORY_LIMIT', 137)).toBe(true);
  });

  it('does not exist for what no repetition changes', () => {
    for (const code of [
      'EXPRESSION_FAILED',
      'UNKNOWN_ACTION',
      'NETWORK_NOT_ALLOWED',
      'CANCELLED',
      'JOB_TIMEOUT',
    ] as const)
      expect(pauseAfterFailure(step(RULE, 1), { code, exitCode: null }, 0.5)).toBeNull();
  });

  it('does not count interrupted attempts, unless the rule names them', () => {
    expect(pauseAfterFailure(step(RULE, 6, 3), FAILED, 0.5)).toBe(3_000);
    expect(pauseAfterFailure(step({ ...RULE, on: [1, 'INTERRUPTED'] }, 6, 3), FAILED, 0.5)).toBeNull();
  });

  it('lies in the band of the jitter', () => {
    const jitters = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(jitters, jitters, fc.integer({ min: 1, max: 3 }), (jitter, random, attempt) => {
        const plain = pauseAfterFailure(step(RULE, attempt), FAILED, random) ?? NaN;
        const moved = pauseAfterFailure(step({ ...RULE, jitter }, attempt), FAILED, random) ?? NaN;
        expect(moved).toBeGreaterThanOrEqual(Math.floor(plain * (1 - jitter)));
        expect(moved).toBeLessThanOrEqual(Math.ceil(plain * (1 + jitter)));
      }),
    );
    const wide = { ...RULE, jitter: 0.5 };
    expect([0, 1].map((random) => pauseAfterFailure(step(wide, 1), FAILED, random))).toEqual([500, 1_500]);
  });
});

describe('the pause after an interrupted attempt', () => {
  it('is none at all, whatever the rule for failures', () => {
    expect(pauseAfterInterruption(step(null, 1), command('retry'), 0.5)).toBe(0);
    expect(pauseAfterInterruption(step({ ...RULE, maxAttempts: 2 }, 5, 0), command('retry'), 0.5)).toBe(0);
  });

  it('does not exist where the step says so, or when it happened too often', () => {
    expect(pauseAfterInterruption(step(null, 1), command('fail'), 0.5)).toBeNull();
    expect(pauseAfterInterruption(step(null, 9, MAX_INTERRUPTIONS - 1), command('retry'), 0.5)).toBeNull();
  });

  it('follows the rule that names INTERRUPTED', () => {
    const rule: RetryRule = { ...RULE, maxAttempts: 2, on: ['INTERRUPTED'] };
    expect(pauseAfterInterruption(step(rule, 1), command('retry'), 0.5)).toBe(1_000);
    expect(pauseAfterInterruption(step(rule, 2, 1), command('retry'), 0.5)).toBeNull();
  });
});
