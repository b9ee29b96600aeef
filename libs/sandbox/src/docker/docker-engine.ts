import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, messageOf } from '#kernel';

/** The newest version of the Engine's HTTP API that this code was written for; an older engine is spoken to in its own. */
const API_VERSION = '1.44';
const ANSWER_MS = 30_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface EngineAnswer {
  status: number;
  /** Parsed where the engine said that it is JSON, otherwise null. */
  body: unknown;
}

/** The few calls to a Docker engine's HTTP API (docs.docker.com/reference/api/engine) that running a command takes, over its Unix socket. */
export class DockerEngine {
  private prefix: string | undefined;

  constructor(readonly socketPath: string) {}

  /** @throws the error of connect(2) when nothing answers */
  async ping(): Promise<void> {
    const answer = await this.send({ method: 'GET', path: '/_ping' });
    await readJson(answer);
    const theirs = answer.headers['api-version'];
    this.prefix = `/v${typeof theirs === 'string' && isOlder(theirs, API_VERSION) ? theirs : API_VERSION}`;
  }

  /** The path with the version of the API in front. */
  async versioned(path: string): Promise<string> {
    if (this.prefix === undefined) await this.ping();
    return `${this.prefix ?? ''}${path}`;
  }

  /** @param waitMs how long the answer may take; 0 for as long as it wants */
  async call(method: string, path: string, body?: unknown, waitMs = ANSWER_MS): Promise<EngineAnswer> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers = content === undefined ? {} : { 'content-type': 'application/json' };
    const options = { method, path: await this.versioned(path), headers, timeout: waitMs };
    const answer = await this.send(options, content);
    return { status: answer.statusCode ?? 0, body: await readJson(answer) };
  }

  /**
   * As `call`, for what must succeed.
   * @throws AppError SANDBOX_UNAVAILABLE with what the engine said
   */
  async demand(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, path, body).catch((error: unknown) => {
      throw new AppError('SANDBOX_UNAVAILABLE', `the Docker engine does not answer: ${messageOf(error)}`, {
        cause: error,
      });
    });
    if (answer.status < 400) return answer.body;
    const said = field(answer.body, 'message');
    const reason = typeof said === 'string' ? said : `HTTP ${answer.status}`;
    throw new AppError(
      'SANDBOX_UNAVAILABLE',
      `the Docker engine refused to ${method} ${path.split('?')[0]}: ${reason}`,
    );
  }

  /** The raw connection that an attach turns its own into. */
  async hijack(path: string): Promise<Duplex> {
    const options = {
      method: 'POST',
      path: await this.versioned(path),
      headers: { connection: 'Upgrade', upgrade: 'tcp' },
    };
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, socketPath: this.socketPath, agent: false });
      sent.on('error', reject);
      sent.on('upgrade', (_, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      sent.on('response', (answer) => {
        answer.resume();
        reject(new AppError('SANDBOX_UNAVAILABLE', `the Docker engine refused to attach: HTTP ${answer.statusCode}`));
      });
      sent.end();
    });
  }

  private send(options: RequestOptions, content?: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // A connection for each call: one that stays open would outlive the run that it was for.
      const sent = request({ ...options, socketPath: this.socketPath, agent: false }, resolve);
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${options.timeout} ms`)));
      sent.end(content);
    });
  }
}

/** A member of a JSON object, or undefined where there is none. */
export function field(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined,
    value,
  );
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk as Buffer);
  }
  if (size === 0 || answer.headers['content-type']?.startsWith('application/json') !== true) return null;
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
