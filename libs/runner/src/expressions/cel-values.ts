import type { Json } from '#kernel';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { CelJob, CelStep } from './cel-environment.js';
import type { ExpressionContext, StepView } from './expression-context.js';

/** A context in the library's own values, made once per step and used for all of its expressions. */
export interface CelContext {
  steps: Map<string, CelStep>;
  job: CelJob;
}

const converted = new WeakMap<ExpressionContext, CelContext>();

/**
 * Whole numbers become CEL's int (a bigint), so that `outputs.count > 2` and `outputs.list[0]` do what one expects; objects
 * become Maps, so that no JavaScript prototype is ever in reach.
 */
export function toCelContext(context: ExpressionContext): CelContext {
  const known = converted.get(context);
  if (known !== undefined) return known;
  const job = new CelJob({ ...context.job, priority: BigInt(context.job.priority) });
  const steps = new Map(Object.entries(context.steps).map(([key, step]) => [key, toCelStep(step)]));
  const made = { steps, job };
  converted.set(context, made);
  return made;
}

function toCelStep(step: StepView): CelStep {
  return new CelStep({
    status: step.status,
    outputs: toCel(step.outputs),
    exitCode: step.exitCode === null ? null : BigInt(step.exitCode),
    attempt: BigInt(step.attempt),
    error: step.error === null ? null : toCel({ code: step.error.code, message: step.error.message }),
  });
}

type CelValue = null | boolean | number | bigint | string | CelValue[] | Map<string, CelValue>;

function toCel(value: Json): CelValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toCel);
  return new Map(Object.entries(value).map(([key, member]) => [key, toCel(member)]));
}

/** Most characters of text that one expression may give, keys and values together. */
const MAX_RESULT_LENGTH = 256 * 1024;

/**
 * The JSON of a result. Whole numbers too large for JSON's readers become strings of digits; times and durations become text
 * as in CEL's own JSON mapping; bytes become Base64.
 * @throws Error with the reason when the value has no JSON form or is too large
 */
export function fromCel(value: unknown): Json {
  let room = MAX_RESULT_LENGTH;
  const spend = (length: number): void => {
    room -= length + 1;
    if (room < 0) throw new Error(`it gives more than ${MAX_RESULT_LENGTH} characters`);
  };
  const members = (entries: Iterable<[unknown, unknown]>): Json => {
    const pairs: [string, Json][] = [];
    for (const [key, member] of entries) {
      const name = typeof key === 'string' ? key : String(key);
      spend(name.length);
      pairs.push([name, convert(member)]);
    }
    return Object.fromEntries(pairs);
  };
  const convert = (current: unknown): Json => {
    spend(typeof current === 'string' ? current.length : 1);
    if (current === null || typeof current === 'boolean' || typeof current === 'string') return current;
    if (typeof current === 'bigint') return bigintToJson(current);
    if (typeof current === 'number') {
      if (!Number.isFinite(current)) throw new Error(`it gives ${current}, which is not a number in JSON`);
      return current;
    }
    if (Array.isArray(current)) return current.map(convert);
    if (current instanceof Map) return members(current);
    if (current instanceof UnsignedInt) return bigintToJson(current.value);
    if (current instanceof Duration) return current.toString();
    if (current instanceof Date) return current.toISOString();
    if (current instanceof Uint8Array) return Buffer.from(current).toString('base64');
    if (current instanceof CelStep || current instanceof CelJob) return members(Object.entries(current));
    return objectToJson(current, members);
  };
  return convert(value);
}

function bigintToJson(value: bigint): Json {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function objectToJson(value: unknown, members: (entries: Iterable<[unknown, unknown]>) => Json): Json {
  if (typeof value === 'object' && value !== null) {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return members(Object.entries(value));
  }
  throw new Error('it gives a value that has no JSON form');
}
