import { AppError, type ErrorCode, type FieldError } from '#kernel';
import { PROBLEM_TYPES } from './problem-types.js';

/** RFC 9457, with the product's `code` and, for broken rules, the fields. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  errors?: FieldError[];
}

const INTERNAL_DETAIL = 'Something went wrong on the server. Its log has more under this answer\'s X-Request-Id.';

/**
 * The answer to an error. There is no `instance`: what is not yours and what does not exist must get the same bytes. Codes that end in a
 * 500 tell nothing of the inside.
 */
export function toProblem(error: AppError): Problem {
  const { status, title } = PROBLEM_TYPES[error.code];
  const code = status === 500 ? 'INTERNAL' : error.code;
  return {
    type: `urn:runledger:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail: status === 500 ? INTERNAL_DETAIL : error.message,
    ...(status !== 500 && error.fields.length > 0 && { errors: error.fields }),
  };
}

/** The one answer for everything that does not exist or is somebody else's. */
export function notFound(): AppError {
  return new AppError('NOT_FOUND', 'There is no such resource, or this API key cannot see it.');
}

/** A broken rule of one query or path parameter. */
export function invalidParameter(field: string, rule: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', `${field} ${message}`, { fields: [{ field, rule, message: `${field} ${message}` }] });
}
