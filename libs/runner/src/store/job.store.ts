import { Injectable } from '@nestjs/common';
import { AppError, Batcher } from '#kernel';
import { Database, type DatabaseClient } from '#database';
import type { JobState } from '../state/job-state.js';
import type { ChainHead } from '#ledger';
import { headOf, jobStateOf, type JobRow, type StepRow } from './job-rows.js';
import type { Transition } from './transition.js';
import { writeTransitions } from './write-transitions.js';

/** A job as it was when it was claimed, and the claim's number. */
export interface Claimed {
  state: JobState;
  head: ChainHead;
  epoch: number;
  offers: number;
}

/** Who claims, and for how long without renewal. */
export interface Lease {
  owner: string;
  leaseMs: number;
}

/** Codes of PostgreSQL after which the same statement, repeated, is likely to succeed: deadlock, serialization. */
const TRANSIENT = new Set(['40P01', '40001']);
const MAX_TRIES = 3;

/**
 * The worker's side of the tables: claims, renewals and transitions. Calls of all jobs in flight in this process share statements,
 * so that the price of a commit is shared too. Losing a claim is an answer, never an exception.
 */
@Injectable()
export class JobStore {
  private readonly transitions = new Batcher<Transition, boolean>((batch) => this.flushTransitions(batch), 200);
  private readonly claims = new Batcher<string, Claimed | null>((batch) => this.flushClaims(batch), 200);

  constructor(
    private readonly database: Database,
    private readonly lease: Lease,
  ) {}

  /**
   * Takes the job if it is on offer and nobody holds it.
   * @returns null when it is over, was not admitted yet, or is held by somebody whose lease is good
   */
  claim(jobId: string): Promise<Claimed | null> {
    return this.claims.run(jobId);
  }

  /** Writes a transition. @returns false when the claim was lost: nothing was written */
  write(transition: Transition): Promise<boolean> {
    return this.transitions.run(transition);
  }

  /** As `write`, inside a transaction of the caller's that does more than this: all or nothing. */
  async writeWithin(client: DatabaseClient, transition: Transition): Promise<boolean> {
    const written = await writeTransitions(
      async (statement) => (await client.query<{ id: string }>(statement)).rows,
      [transition],
    );
    return written.has(transition.after.id);
  }

  /** True when the job's chain ends exactly here. */
  async hasHead(jobId: string, head: ChainHead): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM runner_jobs WHERE id = $1 AND head_seq = $2 AND head_hash = $3`,
      [jobId, head.seq, head.hash],
    );
    return rows.length === 1;
  }

  /**
   * Extends the leases of these claims.
   * @returns the ids that are still held
   */
  async renew(held: { id: string; epoch: number }[]): Promise<Set<string>> {
    const rows = await this.database.query<{ id: string }>(
      `UPDATE runner_jobs AS job SET lease_expires_at = now() + $3 * interval '1 millisecond'
       FROM unnest($1::uuid[], $2::int[]) AS held(id, epoch)
       WHERE job.id = held.id AND job.epoch = held.epoch AND job.lease_owner IS NOT NULL
       RETURNING job.id`,
      [held.map((one) => one.id), held.map((one) => one.epoch), this.lease.leaseMs],
    );
    return new Set(rows.map((row) => row.id));
  }

  private async flushTransitions(batch: Transition[]): Promise<boolean[]> {
    const written = await this.repeat(() =>
      writeTransitions((statement) => this.database.query<{ id: string }>(statement), batch),
    );
    return batch.map((transition) => written.has(transition.after.id));
  }

  private async flushClaims(ids: string[]): Promise<(Claimed | null)[]> {
    const rows = await this.repeat(() =>
      this.database.query<JobRow & { steps: StepRow[] }>({
        name: 'claim-jobs',
        text: CLAIM,
        values: [ids, this.lease.owner, this.lease.leaseMs],
      }),
    );
    const claimed = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => {
      const row = claimed.get(id);
      // Two wake-ups of one job in the same batch: only the first has it.
      claimed.delete(id);
      return row === undefined
        ? null
        : { state: jobStateOf(row, row.steps), head: headOf(row), epoch: row.epoch, offers: row.offers };
    });
  }

  private async repeat<Result>(call: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await call();
      } catch (error) {
        if (tries === MAX_TRIES || error instanceof AppError || !isTransient(error)) throw error;
      }
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && TRANSIENT.has(error.code);
}

const CLAIM = `
WITH claimed AS (
  UPDATE runner_jobs SET epoch = epoch + 1, lease_owner = $2, lease_expires_at = now() + $3 * interval '1 millisecond'
  WHERE id = ANY ($1::uuid[]) AND status IN ('QUEUED', 'RUNNING') AND (lease_expires_at IS NULL OR lease_expires_at < now())
  RETURNING *
)
SELECT claimed.*, (SELECT jsonb_agg(to_jsonb(step)) FROM job_steps AS step WHERE step.job_id = claimed.id) AS steps FROM claimed`;
