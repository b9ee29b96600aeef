import { type Database } from '#database';
import { type QueueProducer } from '#queue';

/** How much of a kind is done in one statement; more of it follows at once. */
const BATCH = 500;

interface OfferedRow {
  id: string;
  workspace_id: string;
  offers: number;
}

/** What time alone makes due. Any number of workers may do it at once: each row is done by one of them. */
export class DueWork {
  constructor(
    private readonly database: Database,
    private readonly queue: QueueProducer,
  ) {}

  /** Jobs whose `runAt` has come may be admitted from now on. @returns how many */
  async releaseDelayed(): Promise<number> {
    return (await this.database.query({ name: 'release-delayed', text: RELEASE, values: [BATCH] })).length;
  }

  /** Jobs that waited for something outside, or for a time, go back to the queue. @returns how many */
  async offerParked(): Promise<number> {
    const rows = await this.database.query<OfferedRow & { rank: number }>({
      name: 'offer-parked',
      text: OFFER_PARKED,
      values: [BATCH],
    });
    await this.queue.offer(
      'runner',
      rows.map((row) => ({
        id: `${row.id}_${row.offers}`,
        payload: { jobId: row.id, workspaceId: row.workspace_id },
        priority: row.rank,
      })),
    );
    return rows.length;
  }

  /** Jobs that nobody holds and that were to be started before now. */
  async expired(): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>({ name: 'expired-jobs', text: EXPIRED, values: [BATCH] });
    return rows.map(({ id }) => id);
  }
}

const RELEASE = `
WITH due AS MATERIALIZED (
  SELECT id FROM runner_jobs WHERE status = 'PENDING' AND hold = 'DELAY' AND run_at <= now() ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE runner_jobs AS job SET hold = NULL FROM due WHERE job.id = due.id RETURNING job.id`;

/** The rank keeps a workspace with many such jobs from being ahead of one with few. */
const OFFER_PARKED = `
WITH due AS MATERIALIZED (
  SELECT id FROM runner_jobs WHERE parked_at IS NOT NULL AND wake_at <= now() ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED
), offered AS (
  UPDATE runner_jobs AS job SET parked_at = NULL, wake_at = NULL, offers = job.offers + 1, offered_at = now()
  FROM due WHERE job.id = due.id RETURNING job.id, job.workspace_id, job.offers, job.priority
)
SELECT id, workspace_id, offers, (row_number() OVER (PARTITION BY workspace_id ORDER BY priority, id) - 1)::int AS rank FROM offered`;

const EXPIRED = `
SELECT id FROM runner_jobs
WHERE status IN ('PENDING', 'QUEUED') AND expires_at <= now() AND (lease_owner IS NULL OR lease_expires_at < now())
ORDER BY expires_at LIMIT $1`;
