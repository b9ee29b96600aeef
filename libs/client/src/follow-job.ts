import { ApiError, ConnectionError } from './errors.js';
import { eventStream } from './event-stream.js';
import type { Http } from './http.js';
import { OutputSequence } from './output-sequence.js';
import type { JobEvent, OutputChunk, RunnerJobStatus } from './types.js';

/** What a follower sees, in the order in which it became true. */
export type FollowItem =
  | { kind: 'event'; event: JobEvent }
  | { kind: 'output'; output: OutputChunk }
  /** The connection was lost; the next try is made after `delayMs`. Nothing is missed. */
  | { kind: 'reconnecting'; delayMs: number; reason: string }
  | { kind: 'complete'; status: RunnerJobStatus; headSeq: number };

export interface FollowOptions {
  /** Events up to this `seq` are known already. Default 0: from the first. */
  lastSeq?: number;
  signal?: AbortSignal;
  /** How long a lost connection is tried again before giving up. Default 120 s. The very first connection is tried once. */
  giveUpAfterMs?: number;
}

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5_000;
const ENDED_EARLY = 'the event stream ended early';

/**
 * Follows one job until its last event. Lost connections are opened again where they broke off, with growing pauses; every event
 * and every byte of output comes exactly once.
 * @throws ApiError that no repetition helps (401, 404); ConnectionError when the server stays away; the signal's reason
 */
export async function* followJob(http: Http, path: string, options: FollowOptions = {}): AsyncGenerator<FollowItem> {
  const { signal, giveUpAfterMs = 120_000 } = options;
  const follower = new Follower(http, path, options.lastSeq ?? 0);
  for (;;) {
    let failure: unknown = new ConnectionError(http.base, new Error(ENDED_EARLY));
    try {
      for await (const item of follower.read(signal)) {
        yield item;
        if (item.kind === 'complete') return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
    }
    const delayMs = follower.pauseAfter(failure, giveUpAfterMs);
    yield { kind: 'reconnecting', delayMs, reason: failure instanceof Error ? failure.message : ENDED_EARLY };
    await pause(delayMs, signal);
  }
}

/** What is known across the connections of one follower. */
class Follower {
  private readonly output = new OutputSequence();
  private everConnected = false;
  private lostSince: number | null = null;
  private delayMs = FIRST_DELAY_MS;

  constructor(
    private readonly http: Http,
    private readonly path: string,
    private lastSeq: number,
  ) {}

  /** The items of one connection that were not seen on an earlier one. Ends when the connection ends. */
  async *read(signal: AbortSignal | undefined): AsyncGenerator<FollowItem> {
    const resume = this.lastSeq > 0 ? { 'last-event-id': String(this.lastSeq) } : {};
    const headers = { accept: 'text/event-stream', ...resume };
    const response = await this.http.send({ path: this.path, headers, ...(signal === undefined ? {} : { signal }) });
    this.everConnected = true;
    for await (const message of eventStream(response)) {
      this.lostSince = null;
      this.delayMs = FIRST_DELAY_MS;
      const item = parseItem(message.event, message.data);
      const fresh = item === null ? null : this.accept(item);
      if (fresh !== null) yield fresh;
    }
  }

  /**
   * How long to wait before the next try.
   * @throws the failure itself when there is to be none
   */
  pauseAfter(failure: unknown, giveUpAfterMs: number): number {
    this.lostSince ??= Date.now();
    const lasting = failure instanceof ApiError && !failure.retryable;
    if (lasting || !this.everConnected || Date.now() - this.lostSince > giveUpAfterMs) {
      throw failure instanceof ApiError || failure instanceof ConnectionError
        ? failure
        : new ConnectionError(this.http.base, failure);
    }
    const delayMs = this.delayMs;
    this.delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    return failure instanceof ApiError ? Math.max(delayMs, failure.retryAfterMs ?? 0) : delayMs;
  }

  private accept(item: FollowItem): FollowItem | null {
    if (item.kind === 'output') {
      const output = this.output.accept(item.output);
      return output === null ? null : { kind: 'output', output };
    }
    if (item.kind === 'event') {
      if (item.event.seq <= this.lastSeq) return null;
      this.lastSeq = item.event.seq;
    }
    return item;
  }
}

/** Null for a message without a name: none of ours. */
function parseItem(name: string | undefined, data: string): FollowItem | null {
  if (name === undefined) return null;
  if (name === 'output') return { kind: 'output', output: JSON.parse(data) as OutputChunk };
  if (name === 'stream.complete') {
    return { kind: 'complete', ...(JSON.parse(data) as { status: RunnerJobStatus; headSeq: number }) };
  }
  return { kind: 'event', event: JSON.parse(data) as JobEvent };
}

/** @throws the signal's reason when it is aborted meanwhile */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish, { once: true });
    function finish(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    }
  });
  signal?.throwIfAborted();
}
