/**
 * Every failure that Runledger reports on purpose. The codes are part of the public API: an HTTP answer, a ledger event and
 * the terminal all show the same one.
 */
export const ERROR_CODES = [
  // the caller's fault
  'VALIDATION_FAILED',
  'MALFORMED_BODY',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'PRECONDITION_FAILED',
  'PAYLOAD_TOO_LARGE',
  'RANGE_NOT_SATISFIABLE',
  'UNSUPPORTED_MEDIA_TYPE',
  'METHOD_NOT_ALLOWED',
  // the installation's fault
  'DATABASE_UNAVAILABLE',
  'QUEUE_UNAVAILABLE',
  'STORAGE_UNAVAILABLE',
  'CONFIG_INVALID',
  'ALREADY_RUNNING',
  'PORT_IN_USE',
  'INTERNAL',
  // why a step or a job failed
  'COMMAND_FAILED',
  'COMMAND_NOT_STARTED',
  'TIMEOUT',
  'MEMORY_LIMIT',
  'PROCESS_LIMIT',
  'FILE_SIZE_LIMIT',
  'DISK_LIMIT',
  'SANDBOX_UNAVAILABLE',
  'OUTPUT_INVALID',
  'EXPRESSION_FAILED',
  'GATE_REJECTED',
  'ARTIFACT_NOT_FOUND',
  'ARTIFACT_OUTSIDE_WORKDIR',
  'ARTIFACT_TOO_LARGE',
  'WORKDIR_MISSING',
  'UNKNOWN_ACTION',
  'INTERRUPTED',
  'LEASE_LOST',
  'CANCELLED',
  'JOB_TIMEOUT',
  'EXPIRED',
  'GATE_EXPIRED',
  'APPROVAL_REJECTED',
  'NETWORK_NOT_ALLOWED',
  'SECRET_UNREADABLE',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** One broken rule of a request or a job definition: where (`steps[2].key`), which rule, and a sentence for a person. */
export interface FieldError {
  field: string;
  rule: string;
  message: string;
}

export interface AppErrorOptions {
  /** True when the same call may succeed later without any change. */
  retryable?: boolean;
  /** Facts that are safe to show to the caller. */
  details?: Record<string, unknown>;
  fields?: FieldError[];
  cause?: unknown;
}

/** The one error class of the product. It knows nothing of HTTP: the API maps `code` to a status. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly retryable: boolean;
  readonly details: Record<string, unknown>;
  readonly fields: FieldError[];

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: AppErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
    this.fields = options.fields ?? [];
  }
}

/** Makes a `switch` exhaustive: the compiler refuses a case that was forgotten. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
