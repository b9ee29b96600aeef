import { Batcher } from '#kernel';
import { type Database } from '#database';

/** A piece of a running command's transcript, for those who watch. */
export interface LivePiece {
  sandboxJobId: string;
  workspaceId: string;
  jobId: string;
  stepId: string;
  seq: number;
  byteOffset: number;
  text: string;
  /** Who wrote which bytes of `text`, as an index of a transcript says it. */
  streams: string;
}

/**
 * Makes the output of running commands visible before they end. All running commands of the process share the inserts. Nothing depends
 * on it: a piece that cannot be stored now is left out, and those who watch get its bytes from the finished transcript.
 */
export class LiveOutput {
  private readonly inserts = new Batcher<LivePiece, void>((pieces) => this.insert(pieces), 100);

  constructor(private readonly database: Database) {}

  /** Never rejects. */
  async show(piece: LivePiece): Promise<void> {
    await this.inserts.run(piece).catch(() => undefined);
  }

  private async insert(pieces: LivePiece[]): Promise<void[]> {
    const jobIds = [...new Set(pieces.map((piece) => piece.jobId))].join(',');
    await this.database.query({ name: 'insert-chunks', text: INSERT, values: [JSON.stringify(pieces), jobIds] });
    return pieces.map(() => undefined);
  }
}

const INSERT = `
WITH inserted AS (
  INSERT INTO transcript_chunks (sandbox_job_id, workspace_id, job_id, step_id, seq, byte_offset, text, streams)
  SELECT i."sandboxJobId", i."workspaceId", i."jobId", i."stepId", i.seq, i."byteOffset", i.text, i.streams
  FROM jsonb_to_recordset($1::jsonb) AS i("sandboxJobId" uuid, "workspaceId" uuid, "jobId" uuid, "stepId" uuid, seq int, "byteOffset" bigint, text text, streams text)
  ON CONFLICT DO NOTHING
)
SELECT pg_notify('runledger_events', $2)`;
