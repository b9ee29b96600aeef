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
}
