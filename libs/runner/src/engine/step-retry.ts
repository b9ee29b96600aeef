import type { ErrorCode } from '#kernel';
import type { RetryRule, StepDefinition } from '../definition/definition.js';
import type { StepState } from '../state/job-state.js';

/** A step whose workers keep dying in the middle of it is given up after so many attempts: it is probably what kills them. */
export const MAX_INTERRUPTIONS = 10;

/** What no repetition changes. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'EXPRESSION_FAILED',
  'UNKNOWN_ACTION',
  'NETWORK_NOT_ALLOWED',
  'WORKDIR_MISSING',
  'CANCELLED',
  'JOB_TIMEOUT',
]);

export interface AttemptFailure {
  code: ErrorCode;
  exitCode: number | null;
}

/**
 * How long to wait before the next attempt of a step whose attempt has just failed.
 * @param random from 0 to 1; decides where in the band of the jitter the pause lies
 * @returns milliseconds, or null when no attempt follows
 */
export function pauseAfterFailure(step: StepState, { code, exitCode }: AttemptFailure, random: number): number | null {
  const rule = retryRuleOf(step);
  if (rule === null || FINAL.has(code) || !applies(rule, code, exitCode)) return null;
  return nextPause(step, rule, random);
}

/**
 * The same for an attempt whose worker died or was stopped in the middle of it. Unless the rule names INTERRUPTED, such attempts do not count
 * among those that it allows, and the next one may follow at once.
 */
export function pauseAfterInterruption(step: StepState, definition: StepDefinition, random: number): number | null {
  if (definition.type === 'COMMAND' && definition.onInterrupt === 'fail') return null;
  if (step.interruptions + 1 >= MAX_INTERRUPTIONS) return null;
  const rule = retryRuleOf(step);
  return rule?.on?.includes('INTERRUPTED') === true ? nextPause(step, rule, random) : 0;
}

function retryRuleOf({ config }: StepState): RetryRule | null {
  return (config as { retry?: RetryRule | null }).retry ?? null;
}

function applies({ on }: RetryRule, code: ErrorCode, exitCode: number | null): boolean {
  if (on === null) return true;
  if (code === 'TIMEOUT') return on.includes('TIMEOUT');
  return code === 'COMMAND_FAILED' && exitCode !== null && on.includes(exitCode);
}

function nextPause(step: StepState, rule: RetryRule, random: number): number | null {
  const uncounted = rule.on?.includes('INTERRUPTED') === true ? 0 : step.interruptions;
  const attempts = step.attempt - uncounted;
  if (attempts >= rule.maxAttempts) return null;
  const pause = Math.min(rule.maxBackoffMs, rule.backoffMs * rule.factor ** (attempts - 1));
  return Math.round(pause * (1 + rule.jitter * (2 * random - 1)));
}
