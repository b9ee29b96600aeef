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
  /** Of what the request was about, where that is what stands in its way. */
  state?: string;
}

/** What the database or the queue said names hosts and ports: that is for the log. */
const UNAVAILABLE_DETAIL = 'This server cannot reach a part of itself at present. Try again in a moment.';
const INTERNAL_DETAIL = "Something went wrong on the server. Its log has more under this answer's X-Request-Id.";

/**
 * The answer to an error. There is no `instance`: what is not yours and what does not exist must get the same bytes. What the server is
 * to blame for (5xx) tells nothing of its inside.
 */
export function toProblem(error: AppError): Problem {
  const { status, title } = PROBLEM_TYPES[error.code];
  const code = status === 500 ? 'INTERNAL' : error.code;
  return {
    type: `urn:runledger:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail: detailOf(status, error),
    ...(status < 500 && error.fields.length > 0 && { errors: error.fields }),
    ...(typeof error.details['state'] === 'string' && { state: error.details['state'] }),
  };
}

function detailOf(status: number, error: AppError): string {
  if (status === 500) return INTERNAL_DETAIL;
  return status === 503 ? UNAVAILABLE_DETAIL : error.message;
}

/** The one answer for everything that does not exist or is somebody else's. */
export function notFound(): AppError {
  return new AppError('NOT_FOUND', 'There is no such resource, or this API key cannot see it.');
}

/** A broken rule of one query or path parameter. */
export function invalidParameter(field: string, rule: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', `${field} ${message}`, {
    fields: [{ field, rule, message: `${field} ${message}` }],
  });
}
