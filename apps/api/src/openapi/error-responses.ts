import type { ApiResponseOptions } from '@nestjs/swagger';
import { AppError, type ErrorCode, type FieldError } from '#kernel';
import { PROBLEM_TYPES } from '../http/problem-types.js';
import { notFound, toProblem } from '../http/problem.js';
import { ref } from './schemas/json-schema.js';

const FIELD: FieldError = {
  field: 'steps[0].key',
  rule: 'matches',
  message: 'steps[0].key must match ^[a-z][a-z0-9_-]{0,63}$',
};

/** A typical case of each code that an operation may answer. */
function typical(code: ErrorCode): AppError {
  switch (code) {
    case 'NOT_FOUND':
      return notFound();
    case 'VALIDATION_FAILED':
      return new AppError(code, FIELD.message, { fields: [FIELD] });
    case 'MALFORMED_BODY':
      return new AppError(code, 'The body is not valid JSON at line 3, column 1: value expected');
    case 'UNAUTHENTICATED':
      return new AppError(code, 'Send an API key: `Authorization: Bearer rl_live_...`.');
    case 'FORBIDDEN':
      return new AppError(code, 'This API key lacks the scope "jobs:write".');
    default:
      return new AppError(code, `${PROBLEM_TYPES[code].title}.`);
  }
}

/** One response per HTTP status, with an example per code. */
export function errorResponses(codes: ErrorCode[]): ApiResponseOptions[] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const { status } = PROBLEM_TYPES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return [...byStatus].map(([status, group]) => ({
    status,
    description: group.map((code) => `\`${code}\`: ${PROBLEM_TYPES[code].title}.`).join(' '),
    content: {
      'application/problem+json': {
        schema: ref('Problem'),
        examples: Object.fromEntries(
          group.map((code) => [code, { summary: PROBLEM_TYPES[code].title, value: toProblem(typical(code)) }]),
        ),
      },
    },
  })) as ApiResponseOptions[];
}
