import { AppError, type FieldError, type Json } from '#kernel';
import { acceptDefinition } from './accept-definition.js';
import { checkExpressions } from './check-expressions.js';
import { checkSteps } from './check-steps.js';
import type { JobDefinition } from './definition.js';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { fieldError, toPlainJson } from './plain-json.js';
import { isObject, validateShape } from './validate-shape.js';

export interface ParseOptions {
  /** The built-in actions that `uses` may name. Left out, their names are not checked (the CLI does not know them). */
  actions?: ReadonlySet<string>;
}

/**
 * The one way from what somebody wrote (parsed JSON or YAML) to an accepted job: every rule is checked and every default filled
 * in. The result shares nothing with the input.
 * @throws AppError VALIDATION_FAILED with all broken rules at once (100 at most), and nothing else, whatever the input
 */
export function parseJobDefinition(input: unknown, options: ParseOptions = {}): JobDefinition {
  const { value, errors } = toPlainJson(input);
  if (!isObject(value))
    throw invalid(errors.length > 0 ? errors : [fieldError('', 'isObject', `must be an object, not ${kindOf(value)}`)]);
  const shape = validateShape(value);
  errors.push(...shape.errors, ...checkSteps(shape.job, options.actions), ...checkExpressions(shape.job));
  if (errors.length > 0) throw invalid(errors);
  return acceptDefinition(shape.job);
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
