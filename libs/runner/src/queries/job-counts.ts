import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import type { JobStatus } from '../state/job-state.js';

type Counts = { status: JobStatus; count: number }[];

/** Counting what waits costs some 10 ms for each hundred thousand jobs: however often somebody asks, it is done no more often than this. */
const FRESH_MS = 2_000;

/** How many jobs of the whole installation are not over: numbers that name no tenant. */
@Injectable()
export class JobCounts {
  private known: { counts: Promise<Counts>; at: number } | undefined;

  constructor(private readonly database: Database) {}

  /** Reads the partial indexes of unfinished jobs, so it costs what is in flight and not what has ever run. At most 2 s old. */
  unfinished(): Promise<Counts> {
    if (this.known !== undefined && performance.now() - this.known.at < FRESH_MS) return this.known.counts;
    const counts = this.database.query<Counts[number]>('SELECT status, count FROM runledger_count_unfinished_jobs()');
    const known = { counts, at: performance.now() };
    this.known = known;
    // A failure is not kept.
    counts.catch(() => {
      if (this.known === known) this.known = undefined;
    });
    return counts;
  }

  /** Whether work that could start has waited for longer than this, and none was started in that time. */
  async standStill(patienceMs: number): Promise<boolean> {
    const [row] = await this.database.query<{ stands_still: boolean }>({
      name: 'work-stands-still',
      text: `SELECT runledger_work_stands_still($1 * interval '1 millisecond') AS stands_still`,
      values: [patienceMs],
    });
    return row?.stands_still ?? false;
  }
}
