import { Injectable } from '@nestjs/common';
import { Database } from '#database';

/** The transcript of one attempt: stored for good, or what there is so far. */
export type TranscriptView =
  { stored: true; attempt: number; ref: string; sha256: string } | { stored: false; attempt: number; text: string };

interface ExecutionRow {
  attempt: number;
  transcript_ref: string | null;
  transcript_sha256: string | null;
  live_text: string | null;
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
    if (row.transcript_ref === null) return { stored: false, attempt: row.attempt, text: row.live_text ?? '' };
    return { stored: true, attempt: row.attempt, ref: row.transcript_ref, sha256: row.transcript_sha256 ?? '' };
  }
}

const TRANSCRIPT = `
SELECT execution.attempt, execution.transcript_ref, execution.transcript_sha256,
  CASE WHEN execution.transcript_ref IS NULL THEN (
    SELECT string_agg(chunk.text, '' ORDER BY chunk.seq) FROM transcript_chunks AS chunk WHERE chunk.sandbox_job_id = execution.id
  ) END AS live_text
FROM sandbox_jobs AS execution
WHERE execution.workspace_id = $1 AND execution.job_id = $2 AND execution.step_id = $3 AND ($4::int IS NULL OR execution.attempt = $4)
ORDER BY execution.attempt DESC LIMIT 1`;
