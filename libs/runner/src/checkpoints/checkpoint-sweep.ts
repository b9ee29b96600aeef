import type { Database } from '#database';
import type { CheckpointStore } from './checkpoint-store.js';

/** Removed by one sweep at most: the rest waits for the next. */
const SWEEP_SIZE = 100;

/**
 * Removes the workdirs that nothing can need any more: those of completed jobs at once, those of others some time after their end. The look
 * costs the same however many are kept: only checkpoints of jobs in flight and those that are due are read.
 */
export class CheckpointSweep {
  constructor(
    private readonly database: Database,
    private readonly store: CheckpointStore,
    private readonly keepMs: number,
  ) {}

  /** @returns how many were removed */
  async sweep(): Promise<number> {
    await this.database.query({ name: 'date-checkpoints', text: DATE, values: [this.keepMs] });
    const rows = await this.database.query<{ blob_key: string }>({
      name: 'due-checkpoints',
      text: DUE,
      values: [this.store.host, this.store.shared, SWEEP_SIZE],
    });
    await this.store.remove(rows.map((row) => row.blob_key));
    return rows.length;
  }
}

const DATE = `
UPDATE checkpoints AS checkpoint
SET due_at = CASE job.status WHEN 'COMPLETED' THEN job.completed_at ELSE job.completed_at + $1 * interval '1 millisecond' END
FROM runner_jobs AS job
WHERE checkpoint.due_at IS NULL AND job.id = checkpoint.job_id AND job.completed_at IS NOT NULL`;

const DUE = `SELECT blob_key FROM checkpoints WHERE due_at <= now() AND (host = $1 OR $2) ORDER BY due_at LIMIT $3`;
