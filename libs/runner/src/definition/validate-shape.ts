import 'reflect-metadata';
import type { FieldError, Json, JsonObject } from '#kernel';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { SubmitJobDto } from './job-definition.dto.js';
import { fieldError, memberPath } from './plain-json.js';

/**
 * Checks names, types and bounds by the decorators of the DTOs. Only the frame of the definition goes through class-transformer:
 * the free objects (`env`, `with`, `metadata`) are left out and put back as they came, and names that every JavaScript object has (`constructor`,
 * `toString`) are refused before it could assign them.
 */
export function validateShape(definition: JsonObject): { job: SubmitJobDto; errors: FieldError[] } {
  const framer = new Framer();
  const { errors, strange } = framer;
  const job = plainToInstance(SubmitJobDto, framer.level(definition, '', JOB));
  const found = validateSync(job, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  collect(found, '', strange, errors);
  restoreFreeObjects(job, definition);
  return { job, errors };
}

/** The fields of one level that have fields of their own: an object's, or those of each object in a list of so many. */
interface Frame {
  [field: string]: { fields: Frame; listOf?: number };
}

const STEP: Frame = {
  limits: { fields: {} },
  retry: { fields: {} },
  approval: {
    fields: { subject: { fields: { artifacts: { fields: {}, listOf: DEFINITION_LIMITS.subjectArtifacts } } } },
  },
};
const JOB: Frame = {
  concurrency: { fields: {} },
  rateLimit: { fields: {} },
  steps: { fields: STEP, listOf: DEFINITION_LIMITS.steps },
};

/** Copies the levels that have known fields, and of everything else only what kind of value it is. */
class Framer {
  readonly errors: FieldError[] = [];
  /** Where something stands that is no object. */
  readonly strange = new Set<string>();

  /** A copy of one level without names from Object.prototype, and hollow but for the fields of its frame. */
  level(object: JsonObject, path: string, frame: Frame): JsonObject {
    const level: JsonObject = {};
    for (const [name, value] of Object.entries(object)) {
      const at = memberPath(path, name);
      if (name in Object.prototype) this.errors.push(unknownField(at));
      else level[name] = Object.hasOwn(frame, name) ? this.member(name, value, at, frame) : hollow(value);
    }
    return frame === STEP ? readable(level) : level;
  }

  private member(name: string, value: Json, path: string, frame: Frame): Json {
    const { fields, listOf } = frame[name] ?? { fields: {} };
    if (listOf !== undefined) return this.list(value, path, fields, listOf);
    if (name === 'retry' && typeof value === 'number') return { maxAttempts: value };
    if (Array.isArray(value)) return 'a list';
    return isObject(value) ? this.level(value, path, fields) : value;
  }

  private list(value: Json, path: string, fields: Frame, max: number): Json {
    if (!Array.isArray(value)) return isObject(value) ? 'an object' : value;
    // One more than allowed is enough for the rule to speak; the rest of a million is not worth checking.
    return value.slice(0, max + 1).map((item, index) => {
      const at = `${path}[${index}]`;
      if (isObject(item)) return this.level(item, at, fields);
      this.strange.add(at);
      this.errors.push(fieldError(at, 'isObject', 'must be an object'));
      return {};
    });
  }
}

/** YAML reads `when: true` as a boolean; it is an expression all the same. */
function readable(step: JsonObject): JsonObject {
  for (const name of ['when', 'condition']) if (typeof step[name] === 'boolean') step[name] = String(step[name]);
  return step;
}

/** More than any list of scalars may have, so that its rule speaks. */
const MAX_SCALARS = 300;

/** Objects emptied and lists cut down to their scalars: class-transformer walks what it gets and trips over `constructor` keys. */
function hollow(value: Json): Json {
  if (Array.isArray(value)) return value.slice(0, MAX_SCALARS).map((item) => (typeof item === 'object' ? {} : item));
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
  for (const name of ['env', 'with', 'metadata']) {
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
