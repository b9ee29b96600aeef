import { Injectable, Logger } from '@nestjs/common';
import { messageOf, systemClock } from '#kernel';
import { Database } from '#database';
import { QueueProducer } from '#queue';
import { sealEvents, type Actor, type NewEvent } from '#ledger';
import { reduceJob } from '../state/reduce.js';
import { headOf, jobStateOf, type JobRow } from '../store/job-rows.js';
import { JobStore } from '../store/job.store.js';
import type { Transition } from '../store/transition.js';

/** The most jobs that one pass admits. */
const PASS_SIZE = 200;

/**
 * Decides which PENDING jobs go to the queue: today all of them, by priority and age. A job is QUEUED in PostgreSQL first and put on the
 * queue after that commit; where the second does not happen, the reconciler makes up for it.
 */
@Injectable()
export class Admission {
  private readonly logger = new Logger(Admission.name);
  private readonly actor: Actor;
  private passing: Promise<void> | null = null;
  private again = false;

  constructor(
    private readonly database: Database,
    private readonly store: JobStore,
    private readonly queue: QueueProducer,
    workerId: string,
  ) {
    this.actor = { type: 'worker', id: workerId };
  }

  /** Admits what there is to admit. A call during a pass makes the pass look once more. Never rejects. */
  admitPending(): Promise<void> {
    this.again = true;
    this.passing ??= this.passes().finally(() => {
      this.passing = null;
    });
    return this.passing;
  }

  private async passes(): Promise<void> {
    while (this.again) {
      this.again = false;
      try {
        if ((await this.pass()) === PASS_SIZE) this.again = true;
      } catch (error) {
        this.logger.warn(`jobs were not admitted, the reconciler tries again: ${messageOf(error)}`);
      }
    }
  }

  private async pass(): Promise<number> {
    const rows = await this.database.query<JobRow>({ name: 'pending-jobs', text: PENDING, values: [PASS_SIZE] });
    const admitted = (await Promise.all(rows.map((row) => this.admit(row)))).filter((row) => row !== null);
    await this.queue.offer(
      'runner',
      admitted.map((row) => ({
        id: `${row.id}_${row.offers + 1}`,
        payload: { jobId: row.id, workspaceId: row.workspace_id },
        priority: row.priority,
      })),
    );
    return rows.length;
  }

  /** @returns null when another worker's pass was first */
  private async admit(row: JobRow): Promise<JobRow | null> {
    const before = jobStateOf(row, []);
    const event: NewEvent = {
      type: 'job.queued',
      phase: null,
      stepId: null,
      actor: this.actor,
      timestamp: systemClock.now(),
      payload: {},
    };
    const after = reduceJob(before, {
      ...event,
      workspaceId: row.workspace_id,
      jobId: row.id,
      actorType: this.actor.type,
      actorId: this.actor.id,
    });
    const { events, head } = sealEvents(headOf(row), row.id, row.workspace_id, [event]);
    const transition: Transition = {
      before,
      after,
      epoch: row.epoch,
      headBefore: headOf(row),
      head,
      events,
      delivery: 'offer',
      sandboxJobs: [],
    };
    return (await this.store.write(transition)) ? row : null;
  }
}

const PENDING = `SELECT * FROM runner_jobs WHERE status = 'PENDING' ORDER BY priority, id LIMIT $1`;
