import { AppError } from './errors.js';
import type { Json } from './json.js';

/** Deeper nesting is refused: no store and no reader of ours needs it, and a cycle ends here with a message too. */
const MAX_DEPTH = 500;

/** Text that JSON writes as it is; most keys and values are of this kind, and the test costs less than a call of JSON.stringify. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;
/** Without its partner a surrogate is no character: UTF-8 cannot carry it. (With the `u` flag, pairs do not match.) */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The one text of a JSON value according to RFC 8785 (JSON Canonicalization Scheme): no white space, keys in the order of
 * their UTF-16 code units, numbers and strings as ECMAScript writes them. Equal values give equal text whatever order their
 * keys were set in, so its UTF-8 bytes can be hashed.
 *
 * Stricter than JSON.stringify, which drops or replaces what it cannot express: what has no exact JSON form is refused.
 * @throws AppError VALIDATION_FAILED for NaN, infinities, undefined, bigint, functions, symbols, objects that are not plain (dates, maps ...),
 *   strings with lone surrogates, and more than 500 levels
 */
export function canonicalJson(value: Json): string {
  return write(value, '', 0);
}

/** @param key the property or index at which the value was found, for messages */
function write(value: Json, key: string | number, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeText(value, key);
    case 'number':
      // ECMAScript's own conversion is the one that the RFC prescribes (-0 gives 0).
      if (!Number.isFinite(value)) refuse(String(value), key);
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= MAX_DEPTH) refuse(`nesting deeper than ${MAX_DEPTH} levels`, key);
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, key, depth + 1);
    default:
      return refuse(typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`, key);
  }
}

function writeArray(items: Json[], depth: number): string {
  let text = '[';
  // By index: it visits the holes of a sparse array too, which are undefined and refused.
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) text += ',';
    text += write(items[index] as Json, index, depth);
  }
  return `${text}]`;
}

function writeObject(object: { [key: string]: Json }, at: string | number, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isPlainOfAnotherRealm(prototype)) {
    refuse(`an object of class ${object.constructor?.name ?? 'unknown'}`, at);
  }
  // Without a compare function, sort() is by UTF-16 code units: exactly the order of the RFC.
  const keys = Object.keys(object).sort();
  let text = '{';
  let separator = '';
  for (const key of keys) {
    text += `${separator}${writeText(key, key)}:${write(object[key] as Json, key, depth)}`;
    separator = ',';
  }
  return `${text}}`;
}

/** Objects made in another realm (a vm context, a worker) have that realm's Object.prototype: the only one without a parent. */
function isPlainOfAnotherRealm(prototype: unknown): boolean {
  return typeof prototype === 'object' && prototype !== null && Object.getPrototypeOf(prototype) === null;
}

function writeText(text: string, key: string | number): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`;
  if (LONE_SURROGATE.test(text)) refuse('text with a lone surrogate (half of a UTF-16 pair)', key);
  // What remains to be escaped (", \ and control characters) JSON.stringify escapes as the RFC prescribes.
  return JSON.stringify(text);
}

function refuse(what: string, key: string | number): never {
  const where = key === '' ? '' : ` (at ${JSON.stringify(key)})`;
  throw new AppError('VALIDATION_FAILED', `${what} cannot be written as canonical JSON${where}`);
}
