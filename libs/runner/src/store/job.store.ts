import { Injectable } from '@nestjs/common';
import { AppError, Batcher } from '#kernel';
import { Database, type DatabaseClient } from '#database';
import type { JobState } from '../state/job-state.js';
import { eventsStatement, toLedgerEvent, type ChainHead, type EventRow, type LedgerEvent } from '#ledger';
import { ELSEWHERE_CHANNEL } from './channels.js';
import { headOf, jobStateOf, type JobRow, type StepRow } from './job-rows.js';
import type { Transition, WorkdirPlace } from './transition.js';
import { writeTransitions } from './write-transitions.js';

/** A job as it was when it was claimed, and the claim's number. */
export interface Claimed {
  state: JobState;
  head: ChainHead;
  epoch: number;
  offers: number;
  workdir: WorkdirPlace;
}

/** What others have appended to a job behind a known head, and whose the job is now. */
export interface Tail {
  epoch: number;
  events: LedgerEvent[];
}

/** A claim that was renewed. */
export interface Renewed {
  /** True when somebody asked for the job's cancellation. */
  cancelling: boolean;
}

/** Who claims, and for how long without renewal. */
export interface Lease {
  owner: string;
  leaseMs: number;
  /** Where the claimer has its workdirs: jobs whose workdir is on another host are left to that host. Left out: it takes them all. */
  host?: string;
  /** A host none of whose workers was seen for so long is gone: its jobs are anybody's. Default 60 s. */
  hostGoneAfterMs?: number;
}

/** Codes of PostgreSQL after which the same statement, repeated, is likely to succeed: deadlock, serialization. */
const TRANSIENT = new Set(['40P01', '40001']);
const MAX_TRIES = 3;

const DEFAULT_HOST_GONE_AFTER_MS = 60_000;

/** Others append a few facts at most while a job is held; with more behind its head the claim is lost anyway. */
const TAIL_SIZE = 1_000;

interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

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
   * Takes the job if it is on offer and nobody holds it; one that was not admitted yet only to end it (cancelled, expired).
   * @returns null when it is over, was not admitted, or is held by somebody whose lease is good
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

  /**
   * What came after event `seq`.
   * @param client for a look from inside a transaction
   * @returns null when there is no such job
   */
  async tail({ id, workspaceId }: JobState, seq: number, client?: DatabaseClient): Promise<Tail | null> {
    const events = await this.run<EventRow>(eventsStatement(workspaceId, id, seq, TAIL_SIZE), client);
    // The epoch is read last: a claim that came in between is seen, and its holder's events are not taken for harmless ones.
    const epoch = { name: 'epoch-of-job', text: 'SELECT epoch FROM runner_jobs WHERE id = $1', values: [id] };
    const [row] = await this.run<{ epoch: number }>(epoch, client);
    return row === undefined ? null : { epoch: row.epoch, events: events.map(toLedgerEvent) };
  }

  /**
   * Extends the leases of these claims.
   * @returns those that are still held, by job id
   */
  async renew(held: { id: string; epoch: number }[]): Promise<Map<string, Renewed>> {
    // Not behind the transitions of a busy worker: a lease that is renewed too late costs every job that it holds.
    const rows = await this.database.queryAside<{ id: string; cancelling: boolean }>({
      name: 'renew-leases',
      text: RENEW,
      values: [held.map((one) => one.id), held.map((one) => one.epoch), this.lease.leaseMs],
    });
    return new Map(rows.map(({ id, cancelling }) => [id, { cancelling }]));
  }

  /** Marks the execution of an attempt whose worker died as failed, and forgets its live output. Only for the holder of the job. */
  async abandonExecution(stepId: string, attempt: number): Promise<void> {
    await this.database.query({ name: 'abandon-execution', text: ABANDON, values: [stepId, attempt] });
  }

  private async run<Row extends object>(statement: Statement, client: DatabaseClient | undefined): Promise<Row[]> {
    if (client === undefined) return this.database.query<Row & Record<string, unknown>>(statement);
    return (await client.query<Row & Record<string, unknown>>(statement)).rows;
  }

  private async flushTransitions(batch: Transition[]): Promise<boolean[]> {
    const written = await this.repeat(() =>
      writeTransitions((statement) => this.database.query<{ id: string }>(statement), batch),
    );
    return batch.map((transition) => written.has(transition.after.id));
  }

  private async flushClaims(ids: string[]): Promise<(Claimed | null)[]> {
    const { owner, leaseMs, host, hostGoneAfterMs } = this.lease;
    const rows = await this.repeat(() =>
      this.database.query<JobRow & { steps: StepRow[] }>({
        name: 'claim-jobs',
        text: CLAIM,
        values: [ids, owner, leaseMs, host ?? null, hostGoneAfterMs ?? DEFAULT_HOST_GONE_AFTER_MS],
      }),
    );
    const claimed = new Map(rows.map((row) => [row.id, row]));
    const missed = ids.filter((id) => !claimed.has(id));
    if (missed.length > 0 && host !== undefined)
      await this.database.query({ name: 'pass-on', text: PASS_ON, values: [missed, host] });
    return ids.map((id) => {
      const row = claimed.get(id);
      // Two wake-ups of one job in the same batch: only the first has it.
      claimed.delete(id);
      return row === undefined
        ? null
        : {
            ...{ state: jobStateOf(row, row.steps), head: headOf(row), epoch: row.epoch, offers: row.offers },
            workdir: { host: row.workdir_host, kept: row.workdir_kept },
          };
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
  UPDATE runner_jobs SET epoch = epoch + 1, lease_owner = $2, lease_expires_at = now() + $3 * interval '1 millisecond',
    parked_at = NULL, wake_at = NULL
  WHERE id = ANY ($1::uuid[]) AND (lease_expires_at IS NULL OR lease_expires_at < now()) AND (
    status IN ('QUEUED', 'RUNNING')
    OR (status = 'PENDING' AND (cancel_requested_at IS NOT NULL OR expires_at <= now())))
    AND ($4::text IS NULL OR workdir_host IS NULL OR workdir_host = $4 OR workdir_kept OR NOT EXISTS (
      SELECT FROM worker_hosts AS host WHERE host.name = workdir_host AND host.seen_at > now() - $5 * interval '1 millisecond'))
  RETURNING *
)
SELECT claimed.*, (SELECT jsonb_agg(to_jsonb(step)) FROM job_steps AS step WHERE step.job_id = claimed.id) AS steps FROM claimed`;

/** Of jobs that could not be claimed, those that are on offer and have their workdir elsewhere: that host is told. */
const PASS_ON = `
SELECT pg_notify('${ELSEWHERE_CHANNEL}', id || ' ' || workdir_host) FROM runner_jobs
WHERE id = ANY ($1::uuid[]) AND workdir_host <> $2 AND NOT workdir_kept AND status IN ('QUEUED', 'RUNNING')
  AND (lease_expires_at IS NULL OR lease_expires_at < now())`;

const RENEW = `
UPDATE runner_jobs AS job SET lease_expires_at = now() + $3 * interval '1 millisecond'
FROM unnest($1::uuid[], $2::int[]) AS held(id, epoch)
WHERE job.id = held.id AND job.epoch = held.epoch AND job.lease_owner IS NOT NULL
RETURNING job.id, job.cancel_requested_at IS NOT NULL AS cancelling`;

const ABANDON = `
WITH abandoned AS (
  UPDATE sandbox_jobs SET status = 'failed', failure_code = 'INTERRUPTED', ended_at = now()
  WHERE step_id = $1 AND attempt = $2 AND status = 'running'
  RETURNING id
)
DELETE FROM transcript_chunks WHERE sandbox_job_id IN (SELECT id FROM abandoned)`;
