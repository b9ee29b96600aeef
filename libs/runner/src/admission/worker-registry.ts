import { hostname } from 'node:os';
import { type Database } from '#database';

export interface RegistryOptions {
  workerId: string;
  /** Where its workdirs are; default: the name of the machine. */
  host?: string;
  /** Jobs that this process carries at a time. */
  concurrency: number;
}

/** A row is renewed when it is this old, ... */
const RENEW_MS = 5_000;

/**
 * The worker processes that are alive, as rows with the time when each was last seen: what they carry together is what admission may put on
 * the queue. One that was not seen for a quarter of a minute does not count, and after some more its row is removed.
 */
export class WorkerRegistry {
  private together: number;
  private renewedAt = -Infinity;

  constructor(
    private readonly database: Database,
    private readonly options: RegistryOptions,
  ) {
    this.together = options.concurrency;
  }

  /** Jobs that all living workers together carry at a time. */
  get concurrency(): number {
    return this.together;
  }

  /** Says that this process is alive, unless it has said so just now. */
  async keep(): Promise<void> {
    if (performance.now() - this.renewedAt < RENEW_MS) return;
    const { workerId, concurrency, host } = this.options;
    const [row] = await this.database.query<{ together: number }>({
      name: 'keep-worker',
      text: KEEP,
      values: [workerId, host ?? hostname(), concurrency],
    });
    this.renewedAt = performance.now();
    this.together = Math.max(concurrency, row?.together ?? 0);
  }

  /** This process takes no more jobs. */
  async leave(): Promise<void> {
    this.renewedAt = Infinity;
    await this.database.query('DELETE FROM workers WHERE id = $1', [this.options.workerId]);
  }
}

const KEEP = `
WITH mine AS (
  INSERT INTO workers (id, host, concurrency) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET seen_at = now(), concurrency = excluded.concurrency
), here AS (
  INSERT INTO worker_hosts (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET seen_at = now()
), gone AS (
  DELETE FROM workers WHERE seen_at < now() - interval '1 minute' AND id <> $1
)
SELECT ($3::int + coalesce(sum(concurrency), 0))::int AS together FROM workers WHERE id <> $1 AND seen_at > now() - interval '15 seconds'`;
