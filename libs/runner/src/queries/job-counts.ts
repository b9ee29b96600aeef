import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import type { JobStatus } from '../state/job-state.js';

/** How many jobs of the whole installation are not over: numbers that name no tenant. */
@Injectable()
export class JobCounts {
  constructor(private readonly database: Database) {}

  /** Reads the partial index of unfinished jobs, so it costs what is in flight and not what has ever run. */
  unfinished(): Promise<{ status: JobStatus; count: number }[]> {
    return this.database.query<{ status: JobStatus; count: number }>(
      'SELECT status, count FROM runledger_count_unfinished_jobs()',
    );
  }

  /**
   * True when jobs that could begin, or go on, have waited for longer than this, nothing has begun in that time, and workers have their hands
   * free: no worker is alive, or none hears of its work. Jobs that wait on purpose (for their time, a limit, a decision) do not count.
   */
  async standStill(patienceMs: number): Promise<boolean> {
    const [row] = await this.database.query<{ still: boolean }>({
      name: 'work-stands-still',
      text: `SELECT runledger_work_stands_still($1 * interval '1 millisecond') AS still`,
      values: [patienceMs],
    });
    return row?.still === true;
  }
}
