import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import { streamsKey } from '../store/transcript-keys.js';

/** A piece of a transcript that is not stored yet. */
export interface LiveTranscriptPiece {
  text: string;
  /** Who wrote which bytes of `text`; empty where all of it is standard output. */
  streams: string;
}

/** The transcript of one attempt: stored for good, or what there is so far. */
export type TranscriptView =
  /** `streamsRef`: the index that tells the streams apart; null where all of it is standard output. */
  | { stored: true; attempt: number; ref: string; sha256: string; streamsRef: string | null }
  | { stored: false; attempt: number; pieces: LiveTranscriptPiece[] };

interface ExecutionRow {
  attempt: number;
  transcript_ref: string | null;
  transcript_sha256: string | null;
  transcript_streams_sha256: string | null;
  live: LiveTranscriptPiece[] | null;
}

/** Reads what steps have printed. */
@Injectable()
export class TranscriptQueries {
  constructor(private readonly database: Database) {}

  /**
   * The transcript of an attempt, the latest unless given. One statement, so that no moment falls between the live chunks and the
   * reference that replaces them.
   * @returns null when the job has no such step, or the step no such attempt
   */
  async find(
    workspaceId: string,
    jobId: string,
    stepId: string,
    attempt: number | null,
  ): Promise<TranscriptView | null> {
    const rows = await this.database.tenantQuery<ExecutionRow>(workspaceId, {
      name: 'transcript-of-step',
      text: TRANSCRIPT,
      values: [workspaceId, jobId, stepId, attempt],
    });
    const row = rows[0];
    if (row === undefined) return null;
    const { transcript_ref: ref, transcript_sha256: sha256, transcript_streams_sha256: streams } = row;
    if (ref === null) return { stored: false, attempt: row.attempt, pieces: row.live ?? [] };
    const streamsRef = streams === null ? null : streamsKey(ref);
    return { stored: true, attempt: row.attempt, ref, sha256: sha256 ?? '', streamsRef };
  }
}

const TRANSCRIPT = `
SELECT execution.attempt, execution.transcript_ref, execution.transcript_sha256, execution.transcript_streams_sha256,
  CASE WHEN execution.transcript_ref IS NULL THEN (
    SELECT jsonb_agg(jsonb_build_object('text', chunk.text, 'streams', chunk.streams) ORDER BY chunk.seq)
    FROM transcript_chunks AS chunk WHERE chunk.sandbox_job_id = execution.id
  ) END AS live
FROM sandbox_jobs AS execution
WHERE execution.workspace_id = $1 AND execution.job_id = $2 AND execution.step_id = $3 AND ($4::int IS NULL OR execution.attempt = $4)
ORDER BY execution.attempt DESC LIMIT 1`;
