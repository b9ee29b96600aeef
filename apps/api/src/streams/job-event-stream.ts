import { Inject, Injectable } from '@nestjs/common';
import type { BlobStore } from '#artifacts';
import { AppError } from '#kernel';
import { LiveQueries, isTerminalJob, type ChunkPosition, type LiveView } from '#runner';
import { BLOB_STORE } from '../tokens.js';
import { JobWakeups } from './job-wakeups.js';
import { OutputTeller } from './output-teller.js';
import { KEEP_ALIVE_FRAME, RETRY_FRAME, eventFrame } from './sse-frame.js';

const EVENTS_PER_READ = 200;
const CHUNKS_PER_READ = 64;
const KEEP_ALIVE_MS = 15_000;
/** How often a follower looks without having been woken: a lost wake-up costs this long and no more. */
const SAFETY_POLL_MS = 5_000;

/** The job that is followed. */
export interface FollowedJob {
  id: string;
  workspaceId: string;
  steps: { id: string; key: string }[];
}

/** The text of a job's event stream, frame by frame, for one follower. It is pulled: a slow reader slows the reading down. */
@Injectable()
export class JobEventStream {
  constructor(
    private readonly live: LiveQueries,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    private readonly wakeups: JobWakeups,
  ) {}

  /** Replays everything after `afterSeq`, then goes on live until the job is over or the signal aborts. */
  async *follow(job: FollowedJob, afterSeq: number, signal: AbortSignal): AsyncGenerator<string, void> {
    // The bell first: what happens between a look and the wait after it has rung by then.
    const { bell, unsubscribe } = this.wakeups.subscribe(job.id);
    const output = new OutputTeller(job.steps, this.blobs);
    let seq = afterSeq;
    let spokenAt = Date.now();
    try {
      yield RETRY_FRAME;
      while (!signal.aborted) {
        const view = await this.read(job, seq, output.position);
        if (view === null) return;
        const { events } = view;
        for (const event of events) {
          yield* output.before(event);
          yield eventFrame(event.type, event, event.seq);
          seq = event.seq;
        }
        // With more events to come, the ones that explain these chunks may be among them: the chunks are read again.
        const behind = events.length === EVENTS_PER_READ;
        if (!behind) yield* output.live(view.chunks);
        if (isTerminalJob(view.status) && seq >= view.headSeq) {
          yield eventFrame('stream.complete', { status: view.status, headSeq: view.headSeq });
          return;
        }
        if (events.length > 0 || view.chunks.length > 0) spokenAt = Date.now();
        if (behind || view.chunks.length === CHUNKS_PER_READ) continue;
        await bell.wait(Math.max(0, Math.min(SAFETY_POLL_MS, spokenAt + KEEP_ALIVE_MS - Date.now())), signal);
        if (Date.now() - spokenAt >= KEEP_ALIVE_MS) {
          spokenAt = Date.now();
          yield KEEP_ALIVE_FRAME;
        }
      }
    } finally {
      unsubscribe();
    }
  }

  /** What there is behind these positions; nothing new while the database is away: the follower keeps its connection. */
  private async read(job: FollowedJob, seq: number, chunk: ChunkPosition | null): Promise<LiveView | null> {
    try {
      const position = { seq, chunk, maxEvents: EVENTS_PER_READ, maxChunks: CHUNKS_PER_READ };
      return await this.live.read(job.workspaceId, job.id, position);
    } catch (error) {
      if (!(error instanceof AppError) || !error.retryable) throw error;
      return { status: 'RUNNING', headSeq: seq, events: [], chunks: [] };
    }
  }
}
