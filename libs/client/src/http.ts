import { ApiError, ConnectionError } from './errors.js';
import type { Problem } from './types.js';

/** What is undefined is left out; what is a list is given several times. */
export type Query = Record<string, string | number | string[] | undefined>;

export interface Request {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal;
}

/** Until the headers of an answer are there; a body may take as long as it wants. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Sends requests with the key and turns what goes wrong into the two errors of this library. */
export class Http {
  /** The server, without a slash at its end. */
  readonly base: string;

  constructor(
    baseUrl: string,
    private readonly apiKey: string,
  ) {
    this.base = baseUrl.replace(/\/+$/, '');
  }

  /** @throws ApiError, ConnectionError */
  async json<Body>(request: Request): Promise<Body> {
    const response = await this.send({ ...request, headers: { accept: 'application/json', ...request.headers } });
    try {
      return (await response.json()) as Body;
    } catch (error) {
      throw new ConnectionError(this.base, error);
    }
  }

  /**
   * The answer with its body unread. What the caller aborts rejects with the signal's own reason.
   * @throws ApiError when the status is not 2xx; ConnectionError
   */
  async send(request: Request): Promise<Response> {
    const { method = 'GET', path, query = {}, headers = {}, body, signal } = request;
    const url = new URL(this.base + path);
    for (const [name, value] of Object.entries(query)) {
      for (const each of [value ?? []].flat()) url.searchParams.append(name, String(each));
    }
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new DOMException('no answer', 'TimeoutError')), ANSWER_TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw new ConnectionError(this.base, error);
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await apiError(response);
    return response;
  }
}

async function apiError(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
  const body: unknown = await response.json().catch(() => null);
  return new ApiError(
    isProblem(body) ? body : unspokenProblem(response),
    Number.isFinite(retryAfter) ? retryAfter * 1_000 : null,
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'status' in body && 'title' in body;
}

/** For what stands in front of the API (a proxy, another server on that port) and does not speak RFC 9457. */
function unspokenProblem(response: Response): Problem {
  const detail = `the server answered ${response.status} ${response.statusText}`.trim();
  return { type: 'about:blank', title: response.statusText, status: response.status, code: 'INTERNAL', detail };
}
