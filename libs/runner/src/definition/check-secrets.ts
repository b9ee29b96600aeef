import type { FieldError, Json, JsonObject } from '#kernel';
import { DEFINITION_LIMITS, ENV_NAME_PATTERN, SECRET_LIMITS as MAX } from './definition-limits.js';
import { fieldError, memberPath } from './plain-json.js';
import { isObject } from './validate-shape.js';

/** The values of a submission's secrets by name: they are no part of its definition. */
export type Secrets = Record<string, string>;

/** The rules of `secrets`: names, lengths, and that steps name only what is given. Messages hold no values. */
export function checkSecrets(given: Json | undefined, definition: JsonObject): FieldError[] {
  const steps = definition['steps'];
  const secrets = given ?? {};
  if (!isObject(secrets)) return [fieldError('secrets', 'isObject', 'must be an object of strings')];
  const errors = checkValues(secrets);
  if (!Array.isArray(steps)) return errors;
  const shared = isObject(definition['env']) ? definition['env'] : {};
  steps.slice(0, DEFINITION_LIMITS.steps).forEach((step, index) => {
    if (isObject(step)) errors.push(...checkStep(step, `steps[${index}]`, secrets, shared));
  });
  return errors;
}

/** Where secrets have no place: a definition that is kept to be used again. */
export function refuseSecrets(given: Json | undefined): FieldError[] {
  if (given === undefined || given === null) return [];
  return [fieldError('secrets', 'notHere', 'belong to a job that is submitted by itself')];
}

function checkValues(secrets: JsonObject): FieldError[] {
  const entries = Object.entries(secrets);
  const errors: FieldError[] = [];
  if (entries.length > MAX.entries)
    errors.push(fieldError('secrets', 'maxEntries', `must have at most ${MAX.entries} entries`));
  let bytes = 0;
  for (const [name, value] of entries.slice(0, MAX.entries)) {
    const at = memberPath('secrets', name);
    errors.push(...checkName(name, at));
    if (typeof value !== 'string') errors.push(fieldError(at, 'isString', 'must be a string; put numbers in quotes'));
    else if ([...value.trim()].length < MAX.shortest) errors.push(tooShort(at));
    else bytes += Buffer.byteLength(value);
  }
  if (bytes > MAX.bytes)
    errors.push(fieldError('secrets', 'maxBytes', `must have at most ${MAX.bytes / 1024} KiB together`));
  return errors;
}

function checkName(name: string, at: string): FieldError[] {
  if (name.length > 200 || !ENV_NAME_PATTERN.test(name)) {
    const rule = 'must be named with letters, digits and _, not beginning with a digit, in at most 200 characters';
    return [fieldError(at, 'envName', rule)];
  }
  if (!name.startsWith('RUNLEDGER')) return [];
  return [fieldError(at, 'envName', 'must not be named RUNLEDGER*, which is kept for the runner')];
}

function tooShort(at: string): FieldError {
  const reason = 'what is shorter appears by chance and cannot be masked in what commands print';
  return fieldError(at, 'minLength', `must have at least ${MAX.shortest} characters: ${reason}`);
}

function checkStep(step: JsonObject, path: string, secrets: JsonObject, shared: JsonObject): FieldError[] {
  const names = step['secrets'];
  if (!Array.isArray(names)) return [];
  const own = isObject(step['env']) ? step['env'] : {};
  return names.slice(0, MAX.entries).flatMap((name, index) => {
    const at = `${path}.secrets[${index}]`;
    if (typeof name !== 'string' || !Object.hasOwn(secrets, name)) {
      const known = Object.keys(secrets).slice(0, 20).join(', ');
      const help = known === '' ? 'the submission has none in secrets' : `secrets has: ${known}`;
      return [fieldError(at, 'knownSecret', `names a secret that is not given; ${help}`)];
    }
    if (!Object.hasOwn(own, name) && !Object.hasOwn(shared, name)) return [];
    return [fieldError(at, 'envTwice', `is set by env too: the variable ${name} can have one value`)];
  });
}
