import type { Problem } from './types.js';

/** The server answered, and the answer is an error. `problem` is its RFC 9457 body, or one made of the status where it sent none. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(
    readonly problem: Problem,
    /** From `Retry-After`, where the server sent one. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(problem.detail || problem.title);
    this.status = problem.status;
    this.code = problem.code;
  }

  /** True when the same request may succeed later without any change. */
  get retryable(): boolean {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** No answer came: the name did not resolve, nobody listens there, the connection broke or went silent. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';

  constructor(
    readonly url: string,
    cause: unknown,
  ) {
    super(`cannot reach ${url}: ${reasonOf(cause)}`, { cause });
  }
}

/** Node's fetch hides what happened in `cause`, an AggregateError where a name has several addresses. */
function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { code, cause, errors, name, message } = error as Record<string, unknown>;
  const known = typeof code === 'string' ? REASONS[code] : undefined;
  if (known !== undefined) return known;
  if (Array.isArray(errors) && errors.length > 0) return reasonOf(errors[0]);
  if (cause !== undefined) return reasonOf(cause);
  // Ports that the Fetch standard blocks.
  if (message === 'bad port') return 'no HTTP client may use that port';
  return name === 'TimeoutError' ? 'no answer in time' : String(message);
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host not found',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
};
