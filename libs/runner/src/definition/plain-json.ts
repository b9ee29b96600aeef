import type { FieldError, Json, JsonObject } from '#kernel';
import { DEFINITION_LIMITS } from './definition-limits.js';

/** The most values, of any kind, in one definition: bounds documents that share parts (YAML aliases) before they are written out. */
const MAX_VALUES = 200_000;

/**
 * Copies anything into plain JSON of bounded depth and size and collects what JSON or PostgreSQL cannot hold: functions and
 * dates, numbers that are not finite, NUL characters and lone surrogates in keys or values, a key `__proto__`. Reads only own,
 * enumerable properties, so nothing of a prototype comes along.
 */
export function toPlainJson(input: unknown): { value: Json; errors: FieldError[] } {
  const errors: FieldError[] = [];
  let values = 0;
  let bytes = 0;
  const refuse = (path: string, rule: string, reason: string): null => {
    if (errors.length < DEFINITION_LIMITS.reportedErrors) errors.push(fieldError(path, rule, reason));
    return null;
  };
  const checkedText = (text: string, path: string, what: string): void => {
    bytes += text.length;
    if (text.includes('\0')) refuse(path, 'nul', `${what} a NUL character (\\u0000), which cannot be stored`);
    if (/\p{Surrogate}/u.test(text))
      refuse(path, 'unicode', `${what} half of a surrogate pair, which is no valid Unicode`);
  };
  const copy = (value: unknown, path: string, depth: number): Json => {
    if (++values > MAX_VALUES || bytes > DEFINITION_LIMITS.jsonBytes) throw new TooLarge();
    if (typeof value === 'string') {
      checkedText(value, path, 'must not hold');
      return value;
    }
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number')
      return Number.isFinite(value) ? value : refuse(path, 'number', 'must be a finite number');
    if (typeof value !== 'object') return refuse(path, 'json', `must be JSON, not a ${typeof value}`);
    if (depth > DEFINITION_LIMITS.depth)
      return refuse(path, 'depth', `is nested deeper than ${DEFINITION_LIMITS.depth} levels`);
    if (Array.isArray(value) && value.length > MAX_VALUES) throw new TooLarge();
    if (Array.isArray(value))
      return Array.from(value, (item: unknown, index) => copy(item ?? null, `${path}[${index}]`, depth + 1));
    if (!isPlainObject(value)) return refuse(path, 'json', 'must be JSON, not an object of another kind');
    return copyObject(value, path, depth);
  };
  const copyObject = (value: object, path: string, depth: number): JsonObject => {
    const members: [string, Json][] = [];
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue;
      const at = memberPath(path, key);
      checkedText(key, at, 'has a name with');
      if (key === '__proto__') refuse(at, 'unknownField', 'is not an allowed name');
      else members.push([key, copy(member, at, depth + 1)]);
    }
    return Object.fromEntries(members);
  };
  return { value: bounded(() => copy(input, '', 0), errors), errors };
}

/** The copy, unless it is too large or the input is so odd that reading it throws: then null, and that as the one error. */
function bounded(copy: () => Json, errors: FieldError[]): Json {
  try {
    const value = copy();
    if (Buffer.byteLength(JSON.stringify(value)) <= DEFINITION_LIMITS.jsonBytes) return value;
    errors.splice(0, errors.length, tooLarge());
  } catch (error) {
    errors.splice(
      0,
      errors.length,
      error instanceof TooLarge ? tooLarge() : fieldError('', 'json', 'cannot be read as JSON'),
    );
  }
  return null;
}

class TooLarge extends Error {}

function tooLarge(): FieldError {
  return fieldError('', 'size', `must be at most ${DEFINITION_LIMITS.jsonBytes / 1024 / 1024} MiB of JSON`);
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm (a test runner's, a vm's) have another Object.prototype; it ends the chain all the same.
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.prototype.toString.call(value) === '[object Object]')
  );
}

/** `steps[2]` + `limits` = `steps[2].limits`; names that are no identifiers go in brackets, shortened. */
export function memberPath(path: string, key: string): string {
  const short = key.length > 80 ? `${key.slice(0, 80)}…` : key;
  if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `${path}[${JSON.stringify(short)}]`;
  return path === '' ? short : `${path}.${short}`;
}

/** One broken rule. The message begins with the field's path, or with "the job definition" for the whole. */
export function fieldError(field: string, rule: string, reason: string): FieldError {
  return { field, rule, message: `${field === '' ? 'the job definition' : field} ${reason}` };
}
