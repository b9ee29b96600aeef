import { AppError, systemClock, type FieldError, type Json } from '#kernel';
import { acceptDefinition } from './accept-definition.js';
import { checkExpressions } from './check-expressions.js';
import { checkJob } from './check-job.js';
import { checkSecrets, refuseSecrets, type Secrets } from './check-secrets.js';
import { checkSteps } from './check-steps.js';
import type { JobDefinition } from './definition.js';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { fieldError, toPlainJson } from './plain-json.js';
import { isObject, validateShape } from './validate-shape.js';

export interface ParseOptions {
  /** The built-in actions that `uses` may name. Left out, their names are not checked (the CLI does not know them). */
  actions?: ReadonlySet<string>;
  /** RFC 3339; what times of the definition are compared with. Now, when it is left out. */
  now?: string;
}

/** A job as it was submitted: what is kept of it, and apart from that the values of its secrets. */
export interface ParsedSubmission {
  definition: JobDefinition;
  secrets: Secrets;
}

/**
 * As `parseJobDefinition`, for a job that may come with `secrets`. Their values are in no part of the definition.
 * @throws AppError VALIDATION_FAILED; its messages hold no value of a secret
 */
export function parseSubmission(input: unknown, options: ParseOptions = {}): ParsedSubmission {
  return parse(input, options, checkSecrets);
}

/**
 * The one way from what somebody wrote (parsed JSON or YAML) to an accepted job: every rule is checked and every default filled
 * in. The result shares nothing with the input.
 * @throws AppError VALIDATION_FAILED with all broken rules at once (100 at most), and nothing else, whatever the input
 */
export function parseJobDefinition(input: unknown, options: ParseOptions = {}): JobDefinition {
  return parse(input, options, (given, definition) => [...refuseSecrets(given), ...checkSecrets(null, definition)])
    .definition;
}

function parse(input: unknown, options: ParseOptions, check: typeof checkSecrets): ParsedSubmission {
  const { value, errors } = toPlainJson(input);
  if (!isObject(value))
    throw invalid(errors.length > 0 ? errors : [fieldError('', 'isObject', `must be an object, not ${kindOf(value)}`)]);
  const { secrets: given, ...written } = value;
  const shape = validateShape(written);
  const now = options.now ?? systemClock.now();
  errors.push(...shape.errors, ...checkJob(shape.job, now), ...checkSteps(shape.job, options.actions));
  errors.push(...checkExpressions(shape.job), ...check(given, written));
  if (errors.length > 0) throw invalid(errors);
  const secrets = { ...((given ?? {}) as Secrets) };
  const secretNames = Object.keys(secrets).sort();
  const definition = acceptDefinition(shape.job);
  return { definition: secretNames.length === 0 ? definition : { ...definition, secretNames }, secrets };
}

function invalid(errors: FieldError[]): AppError {
  const fields = errors.slice(0, DEFINITION_LIMITS.reportedErrors);
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new AppError('VALIDATION_FAILED', `the job definition is not valid: ${fields[0]?.message ?? ''}${more}`, {
    fields,
  });
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
