import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import { eventsStatement, toLedgerEvent, type EventRow, type LedgerEvent } from '#ledger';
import type { JobStatus } from '../state/job-state.js';

/** A piece of live output. */
export interface OutputChunkView {
  sandboxJobId: string;
  stepId: string;
  stepKey: string;
  attempt: number;
  seq: number;
  /** Of the first byte of `text` in the transcript, in UTF-8 bytes. */
  offset: number;
  text: string;
  /** Who wrote which bytes of `text`; empty where all of it is standard output. */
  streams: string;
}

/** The last chunk that was seen. Executions of one job follow each other, and their ids sort by creation. */
export interface ChunkPosition {
  sandboxJobId: string;
  seq: number;
}

/** What a follower has seen, and how much it takes at a time. */
export interface LivePosition {
  /** The last event. */
  seq: number;
  /** The last chunk; null before the first. */
  chunk: ChunkPosition | null;
  maxEvents: number;
  maxChunks: number;
}

/** Where a job stands, its next events, and the output that is not in the ledger yet. */
export interface LiveView {
  status: JobStatus;
  headSeq: number;
  events: LedgerEvent[];
  chunks: OutputChunkView[];
}

interface LiveRow {
  status: JobStatus;
  head_seq: number;
  chunks:
    | {
        sandbox_job_id: string;
        step_id: string;
        step_key: string;
        attempt: number;
        seq: number;
        byte_offset: number;
        text: string;
        streams: string;
      }[]
    | null;
}

const NOTHING_SEEN: ChunkPosition = { sandboxJobId: '00000000-0000-0000-0000-000000000000', seq: 0 };

/** What a follower of a job asks for after each wake-up. */
@Injectable()
export class LiveQueries {
  constructor(private readonly database: Database) {}

  /**
   * One look, in one transaction and one round trip. The events are read after the chunks, never before: then the events that explain a
   * chunk, or that end its step, are among them.
   * @returns null when the workspace has no such job
   */
  async read(workspaceId: string, jobId: string, position: LivePosition): Promise<LiveView | null> {
    const after = position.chunk ?? NOTHING_SEEN;
    const values = [workspaceId, jobId, after.sandboxJobId, after.seq, position.maxChunks];
    const [[row], events] = await this.database.tenantQueries<[LiveRow, EventRow]>(workspaceId, [
      { name: 'live-job', text: LIVE, values },
      eventsStatement(workspaceId, jobId, position.seq, position.maxEvents),
    ]);
    if (row === undefined) return null;
    const { status, head_seq: headSeq, chunks } = row;
    return { status, headSeq, events: events.map(toLedgerEvent), chunks: (chunks ?? []).map(chunkView) };
  }
}

function chunkView(chunk: NonNullable<LiveRow['chunks']>[number]): OutputChunkView {
  return {
    sandboxJobId: chunk.sandbox_job_id,
    stepId: chunk.step_id,
    stepKey: chunk.step_key,
    attempt: chunk.attempt,
    seq: chunk.seq,
    offset: chunk.byte_offset,
    text: chunk.text,
    streams: chunk.streams,
  };
}

const LIVE = `
SELECT job.status, job.head_seq, (
  SELECT jsonb_agg(to_jsonb(own) ORDER BY own.sandbox_job_id, own.seq)
  FROM (
    SELECT chunk.sandbox_job_id, chunk.step_id, step.key AS step_key, execution.attempt, chunk.seq, chunk.byte_offset, chunk.text, chunk.streams
    FROM transcript_chunks AS chunk
    JOIN sandbox_jobs AS execution ON execution.id = chunk.sandbox_job_id
    JOIN job_steps AS step ON step.id = chunk.step_id
    WHERE chunk.job_id = job.id AND (chunk.sandbox_job_id, chunk.seq) > ($3::uuid, $4::int)
    ORDER BY chunk.sandbox_job_id, chunk.seq LIMIT $5
  ) AS own
) AS chunks
FROM runner_jobs AS job WHERE job.workspace_id = $1 AND job.id = $2`;
