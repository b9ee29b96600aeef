import type { ErrorCode } from '#kernel';

/** What an error code is over HTTP. */
export interface ProblemType {
  status: number;
  title: string;
  /** Seconds after which the same request may succeed. */
  retryAfterSeconds?: number;
}

/** How a code that only jobs and steps carry is answered should it ever reach the API. */
const FAILED_RUN: ProblemType = { status: 500, title: 'The server failed' };

/** Every code of the product, so that a new one does not compile before somebody has decided what it is over HTTP. */
export const PROBLEM_TYPES: Record<ErrorCode, ProblemType> = {
  VALIDATION_FAILED: { status: 422, title: 'The request breaks a rule' },
  MALFORMED_BODY: { status: 400, title: 'The body cannot be read' },
  UNAUTHENTICATED: { status: 401, title: 'No valid API key' },
  FORBIDDEN: { status: 403, title: 'The API key may not do this' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  CONFLICT: { status: 409, title: 'In conflict with the current state' },
  PRECONDITION_FAILED: { status: 412, title: 'Changed in the meantime' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body is too large' },
  RANGE_NOT_SATISFIABLE: { status: 416, title: 'The range is outside the content' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported media type' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },

  DATABASE_UNAVAILABLE: { status: 503, title: 'The database is not available', retryAfterSeconds: 2 },
  QUEUE_UNAVAILABLE: { status: 503, title: 'The queue is not available', retryAfterSeconds: 2 },
  STORAGE_UNAVAILABLE: { status: 503, title: 'The storage is not available', retryAfterSeconds: 2 },
  CONFIG_INVALID: FAILED_RUN,
  ALREADY_RUNNING: FAILED_RUN,
  PORT_IN_USE: FAILED_RUN,
  INTERNAL: FAILED_RUN,

  COMMAND_FAILED: FAILED_RUN,
  COMMAND_NOT_STARTED: FAILED_RUN,
  TIMEOUT: FAILED_RUN,
  MEMORY_LIMIT: FAILED_RUN,
  PROCESS_LIMIT: FAILED_RUN,
  FILE_SIZE_LIMIT: FAILED_RUN,
  DISK_LIMIT: FAILED_RUN,
  SANDBOX_UNAVAILABLE: FAILED_RUN,
  OUTPUT_INVALID: FAILED_RUN,
  EXPRESSION_FAILED: FAILED_RUN,
  GATE_REJECTED: FAILED_RUN,
  ARTIFACT_NOT_FOUND: FAILED_RUN,
  ARTIFACT_OUTSIDE_WORKDIR: FAILED_RUN,
  ARTIFACT_TOO_LARGE: FAILED_RUN,
  WORKDIR_MISSING: FAILED_RUN,
  UNKNOWN_ACTION: FAILED_RUN,
  INTERRUPTED: FAILED_RUN,
  LEASE_LOST: FAILED_RUN,
  CANCELLED: FAILED_RUN,
  JOB_TIMEOUT: FAILED_RUN,
  EXPIRED: FAILED_RUN,
  GATE_EXPIRED: FAILED_RUN,
  APPROVAL_REJECTED: FAILED_RUN,
  NETWORK_NOT_ALLOWED: FAILED_RUN,
  SECRET_UNREADABLE: FAILED_RUN,
};
