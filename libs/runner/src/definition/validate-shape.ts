import 'reflect-metadata';
import type { FieldError, Json, JsonObject } from '#kernel';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { SubmitJobDto } from './job-definition.dto.js';
import { fieldError, memberPath } from './plain-json.js';

/**
 * Checks names, types and bounds by the decorators of the DTOs. Only the frame of the definition goes through class-transformer:
 * the free objects (`env`, `with`) are left out and put back as they came, and names that every JavaScript object has (`constructor`,
 * `toString`) are refused before it could assign them.
 */
export function validateShape(definition: JsonObject): { job: SubmitJobDto; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const strange = new Set<string>();
  const job = plainToInstance(SubmitJobDto, frameOf(definition, strange, errors));
  const found = validateSync(job, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  collect(found, '', strange, errors);
  restoreFreeObjects(job, definition);
  return { job, errors };
}

function frameOf(definition: JsonObject, strange: Set<string>, errors: FieldError[]): JsonObject {
  const frame = levelOf(definition, '', errors, 'steps');
  if (isObject(frame['steps'])) frame['steps'] = 'an object';
  if (!Array.isArray(frame['steps'])) return frame;
  // One step more than allowed is enough for the rule to speak; the rest of a million is not worth checking.
  frame['steps'] = frame['steps'].slice(0, DEFINITION_LIMITS.steps + 1).map((step, index) => {
    const path = `steps[${index}]`;
    if (!isObject(step)) {
      strange.add(path);
      errors.push(fieldError(path, 'isObject', 'must be an object'));
      return {};
    }
    const level = levelOf(step, path, errors, 'limits');
    if (isObject(level['limits'])) level['limits'] = levelOf(level['limits'], `${path}.limits`, errors);
    else if (Array.isArray(level['limits'])) level['limits'] = 'a list';
    for (const name of ['when', 'condition']) if (typeof level[name] === 'boolean') level[name] = String(level[name]);
    return level;
  });
  return frame;
}

/** A copy of one level without names from Object.prototype, and hollow but for the field to `keep`. */
function levelOf(object: JsonObject, path: string, errors: FieldError[], keep?: string): JsonObject {
  const level: JsonObject = {};
  for (const [name, value] of Object.entries(object)) {
    if (name in Object.prototype) errors.push(unknownField(memberPath(path, name)));
    else level[name] = name === keep ? value : hollow(value);
  }
  return level;
}

/** Objects emptied and lists cut down to their scalars: class-transformer walks what it gets and trips over `constructor` keys. */
function hollow(value: Json): Json {
  if (Array.isArray(value))
    return value.slice(0, DEFINITION_LIMITS.paths + 1).map((item) => (typeof item === 'object' ? {} : item));
  return isObject(value) ? {} : value;
}

function restoreFreeObjects(job: SubmitJobDto, definition: JsonObject): void {
  restore(job, definition);
  const steps = definition['steps'];
  if (!Array.isArray(steps) || !Array.isArray(job.steps)) return;
  job.steps.forEach((step, index) => {
    const source = steps[index];
    if (isObject(source)) restore(step, source);
  });
}

function restore(target: object, source: JsonObject): void {
  for (const name of ['env', 'with']) {
    const value = source[name];
    if (isObject(value)) Object.assign(target, { [name]: value });
  }
}

/** One error per field: of several broken rules the first of this list says most. */
const FIRST_RULES = [
  'whitelistValidation',
  'isString',
  'isInt',
  'isArray',
  'isObject',
  'isBoolean',
  'isLength',
  'matches',
];

function collect(found: ValidationError[], path: string, strange: ReadonlySet<string>, errors: FieldError[]): void {
  for (const { property, constraints, children } of found) {
    const at = /^\d+$/.test(property) ? `${path}[${property}]` : memberPath(path, property);
    if (strange.has(at)) continue;
    const rules = Object.entries(constraints ?? {}).filter(([rule]) => rule !== 'nestedValidation');
    const first = FIRST_RULES.find((rule) => rules.some(([name]) => name === rule)) ?? rules[0]?.[0];
    const message = rules.find(([rule]) => rule === first)?.[1];
    if (first === 'whitelistValidation') errors.push(unknownField(at));
    else if (first !== undefined && message !== undefined) errors.push(fieldError(at, first, message));
    collect(children ?? [], at, strange, errors);
  }
}

function unknownField(path: string): FieldError {
  return fieldError(path, 'unknownField', 'is not a field of a job definition');
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
