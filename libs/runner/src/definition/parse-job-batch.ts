import { AppError, type FieldError } from '#kernel';
import type { JobDefinition } from './definition.js';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { inTurns } from './in-turns.js';
import { parseJobDefinition, type ParseOptions } from './parse-job-definition.js';
import { fieldError } from './plain-json.js';

/** The most definitions of one batch. */
export const MAX_BATCH_JOBS = 1_000;

/**
 * `{ jobs: [...] }`, each as `parseJobDefinition`: all of them, or none.
 * @throws AppError VALIDATION_FAILED with the broken rules of all definitions (100 at most), each beginning with its place: `jobs[17].name`
 */
export async function parseJobBatch(input: unknown, options: ParseOptions = {}): Promise<JobDefinition[]> {
  const errors: FieldError[] = [];
  const accepted = await inTurns(jobsOf(input), (job, index) => {
    if (errors.length >= DEFINITION_LIMITS.reportedErrors) return [];
    try {
      return [below(`jobs[${index}]`, () => parseJobDefinition(job, options))];
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      errors.push(...error.fields);
      return [];
    }
  });
  if (errors.length > 0) throw invalid(errors);
  return accepted.flat();
}

/** Runs something about one of several definitions; the fields of its errors begin with the definition's place then. */
export function below<Result>(place: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof AppError) || error.fields.length === 0) throw error;
    const fields = error.fields.map(({ field, rule, message }) => ({
      field: field === '' ? place : `${place}.${field}`.replace('.[', '['),
      rule,
      message: message.startsWith('the job definition ')
        ? message.replace('the job definition', place)
        : `${place}.${message}`.replace('.[', '['),
    }));
    throw new AppError(error.code, fields[0]?.message ?? error.message, { fields });
  }
}

/** @throws AppError VALIDATION_FAILED */
function jobsOf(input: unknown): unknown[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || !('jobs' in input))
    throw invalid([fieldError('jobs', 'required', 'must be given: a batch is { "jobs": [definition, ...] }')]);
  const { jobs, ...others } = input;
  const unknown = Object.keys(others).map((name) => fieldError(name, 'unknownField', 'is not a field of a batch'));
  if (unknown.length > 0) throw invalid(unknown);
  if (!Array.isArray(jobs) || jobs.length < 1 || jobs.length > MAX_BATCH_JOBS)
    throw invalid([fieldError('jobs', 'length', `must be a list of 1 to ${MAX_BATCH_JOBS} job definitions`)]);
  return jobs;
}

function invalid(errors: FieldError[]): AppError {
  const fields = errors.slice(0, DEFINITION_LIMITS.reportedErrors);
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new AppError('VALIDATION_FAILED', `the batch is not valid: ${fields[0]?.message ?? ''}${more}`, { fields });
}
