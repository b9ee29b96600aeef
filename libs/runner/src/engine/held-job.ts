import { AppError, type Clock } from '#kernel';
import {
  sealEvents,
  type Actor,
  type ChainHead,
  type EventPayloads,
  type EventType,
  type LedgerEvent,
  type NewEvent,
} from '#ledger';
import type { DatabaseClient } from '#database';
import type { JobState } from '../state/job-state.js';
import { reduceJob } from '../state/reduce.js';
import type { Claimed, JobStore } from '../store/job.store.js';
import type { Delivery, SandboxJobRow, Transition } from '../store/transition.js';

/** Where an event belongs: nothing for the job itself, a phase, or a step (whose phase is taken from it). */
export interface Place {
  phase?: string;
  step?: { id: string; phase: string };
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;

/**
 * A job that this worker has claimed. Facts are recorded in memory, where they fold into `state` at once, and become true for everybody
 * else with the next commit: all of them or none. A worker that lost its claim can commit nothing any more.
 */
export class HeldJob {
  state: JobState;
  readonly epoch: number;
  offers: number;
  private head: ChainHead;
  private committed: JobState;
  private recorded: NewEvent[] = [];
  private sandboxJobs: SandboxJobRow[] = [];
  private readonly losing = new AbortController();
  private givenUp = false;

  constructor(
    private readonly store: JobStore,
    private readonly clock: Clock,
    private readonly actor: Actor,
    claimed: Claimed,
  ) {
    this.state = claimed.state;
    this.committed = claimed.state;
    this.head = claimed.head;
    this.epoch = claimed.epoch;
    this.offers = claimed.offers;
  }

  get id(): string {
    return this.state.id;
  }

  /** Aborted, with an AppError LEASE_LOST as the reason, when the claim is no longer ours. */
  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** True from the moment at which the claim is given back on purpose: that it is not renewed any more is no loss then. */
  get released(): boolean {
    return this.givenUp;
  }

  /** Called by whoever finds out that the claim has gone to somebody else, or that its lease has run out. */
  lose(): void {
    this.losing.abort(new AppError('LEASE_LOST', `the claim ${this.epoch} of job ${this.id} is lost`));
  }

  /** Adds a fact, stamped now. It is not durable before the next commit. */
  record<Type extends EventType>(type: Type, payload: EventPayloads[Type], place: Place = {}): void {
    const event = {
      type,
      phase: place.step?.phase ?? place.phase ?? null,
      stepId: place.step?.id ?? null,
      actor: this.actor,
      timestamp: this.now(),
      payload,
    } as NewEvent;
    this.state = reduceJob(this.state, {
      ...event,
      workspaceId: this.state.workspaceId,
      jobId: this.id,
      actorType: this.actor.type,
      actorId: this.actor.id,
    });
    this.recorded.push(event);
  }

  /** Forgets what was recorded since the last commit. */
  discard(): void {
    this.state = this.committed;
    this.recorded = [];
    this.sandboxJobs = [];
  }

  /** Adds or replaces the row of a command execution with the next commit. */
  recordExecution(row: SandboxJobRow): void {
    this.sandboxJobs = [...this.sandboxJobs.filter((other) => other.id !== row.id), row];
  }

  /**
   * Makes everything recorded durable. While the database is away it is tried again for as long as the lease is good.
   * @returns false when the claim was lost; the job must be left alone then
   */
  async commit(delivery: Delivery = 'keep'): Promise<boolean> {
    const transition = this.seal(delivery);
    this.givenUp = delivery !== 'keep';
    const written = await this.writeThroughOutages(transition);
    if (written) this.accept(transition);
    else this.lose();
    return written;
  }

  /** As `commit`, in the same transaction as other writes of the caller's. An error rolls everything back and loses the claim. */
  async commitWithin(client: DatabaseClient): Promise<boolean> {
    const transition = this.seal('keep');
    const written = await this.store.writeWithin(client, transition);
    if (written) this.accept(transition);
    else this.lose();
    return written;
  }

  /** Never before the last fact, even when the clock was set back or another host's runs behind. */
  private now(): string {
    const now = this.clock.now();
    return now < this.state.updatedAt ? this.state.updatedAt : now;
  }

  private seal(delivery: Delivery): Transition {
    const { events, head } = sealEvents(this.head, this.id, this.state.workspaceId, this.recorded);
    return {
      before: this.committed,
      after: this.state,
      epoch: this.epoch,
      headBefore: this.head,
      head,
      events: events satisfies LedgerEvent[],
      delivery,
      sandboxJobs: this.sandboxJobs,
    };
  }

  private accept(transition: Transition): void {
    this.head = transition.head;
    this.committed = transition.after;
    this.recorded = [];
    this.sandboxJobs = [];
    if (transition.delivery === 'offer') this.offers += 1;
  }

  private async writeThroughOutages(transition: Transition): Promise<boolean> {
    for (let pauseMs = 0; !this.lost.aborted; pauseMs = Math.min(LONGEST_RETRY_MS, pauseMs * 2 || FIRST_RETRY_MS)) {
      try {
        if (await this.store.write(transition)) return true;
        // The first try may have been committed although its answer never came.
        return pauseMs > 0 && (await this.store.hasHead(this.id, transition.head));
      } catch (error) {
        if (!(error instanceof AppError && error.retryable)) throw error;
        await pause(Math.max(pauseMs, FIRST_RETRY_MS), this.lost);
      }
    }
    return false;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
