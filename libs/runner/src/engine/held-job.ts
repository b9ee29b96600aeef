import { AppError, type Clock } from '#kernel';
import { sealEvents, type Actor, type ChainHead, type EventPayloads, type EventType, type NewEvent } from '#ledger';
import type { DatabaseClient } from '#database';
import type { JobState } from '../state/job-state.js';
import { reduceJob, type FoldableEvent } from '../state/reduce.js';
import type { Claimed, JobStore, Tail } from '../store/job.store.js';
import type { Delivery, SandboxJobRow, Transition, WorkdirPlace } from '../store/transition.js';
import { cutShort, deadlineOf, timeoutSecondsOf, type CutShort } from './decide.js';
import { longerPause, pause } from './pause.js';

/** Where an event belongs: nothing for the job itself, a phase, or a step (whose phase is taken from it). */
export interface Place {
  phase?: string;
  step?: { id: string; phase: string };
}

/**
 * How a conclusion ended. `changed`: somebody else appended to the chain and, asked again, the caller did not want to conclude any more:
 * nothing was written.
 */
export type Conclusion = 'written' | 'changed' | 'lost';

/** setTimeout takes no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A job that this worker has claimed. Facts are recorded in memory, where they fold into `state` at once, and become true for everybody
 * else with the next commit: all of them or none. A worker that lost its claim can commit nothing any more.
 *
 * Others may append facts that change no status (a request for cancellation, a decision): a commit then finds the head moved, folds
 * what came in between, and puts what is recorded here behind it.
 */
export class HeldJob {
  state: JobState;
  readonly epoch: number;
  offers: number;
  /** Where the workdir is; what is set here becomes true with the next commit. */
  workdir: WorkdirPlace;
  private head: ChainHead;
  private committed: JobState;
  private recorded: NewEvent[] = [];
  private sandboxJobs: SandboxJobRow[] = [];
  private readonly losing = new AbortController();
  private readonly cutting = new AbortController();
  private deadline: NodeJS.Timeout | undefined;
  private givenUp = false;
  private commits = 0;

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
    this.workdir = claimed.workdir;
    this.noticeCutShort();
  }

  get id(): string {
    return this.state.id;
  }

  /** Aborted, with an AppError LEASE_LOST as the reason, when the claim is no longer ours. */
  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** Aborted, with an AppError CANCELLED or JOB_TIMEOUT, when the job is to end early: all but CLEANUP stops. */
  get ending(): AbortSignal {
    return this.cutting.signal;
  }

  /** Why the job is to end early, by what is known of it now. */
  get cutShort(): CutShort | null {
    const timedOut = (this.ending.reason as AppError | undefined)?.code === 'JOB_TIMEOUT';
    return cutShort(this.state, this.clock.now()) ?? (timedOut ? 'TIMEOUT' : null);
  }

  /** True from the moment at which the claim is given back on purpose: that it is not renewed any more is no loss then. */
  get released(): boolean {
    return this.givenUp;
  }

  /** Called by whoever finds out that the claim has gone to somebody else, or that its lease has run out. */
  lose(): void {
    clearTimeout(this.deadline);
    this.losing.abort(new AppError('LEASE_LOST', `the claim ${this.epoch} of job ${this.id} is lost`));
  }

  /** Called by whoever hears that the job is to be cancelled. The request itself is in the ledger. */
  cancel(): void {
    this.cutting.abort(new AppError('CANCELLED', 'the job was cancelled'));
  }

  /** To be called when the job is not worked on any more. */
  rest(): void {
    clearTimeout(this.deadline);
  }

  /** Adds a fact, stamped now. It is not durable before the next commit. */
  record<Type extends EventType>(type: Type, payload: EventPayloads[Type], place: Place = {}): void {
    this.add({
      type,
      phase: place.step?.phase ?? place.phase ?? null,
      stepId: place.step?.id ?? null,
      actor: this.actor,
      timestamp: this.clock.now(),
      payload,
    } as NewEvent);
    if (type === 'job.started') this.noticeCutShort();
  }

  /** @returns forgets what was recorded since this call, and not committed */
  savepoint(): () => void {
    const { commits, recorded, sandboxJobs } = this;
    return () => {
      if (this.commits !== commits) return this.discard();
      this.takeBack(this.recorded.slice(0, recorded.length));
      this.sandboxJobs = sandboxJobs;
    };
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
  async commit(): Promise<boolean> {
    return (await this.persist('keep', null, () => true)) === 'written';
  }

  /** As `commit`, and offers the job to whoever takes it. */
  async commitAndOffer(): Promise<boolean> {
    this.givenUp = true;
    return (await this.persist('offer', null, () => true)) === 'written';
  }

  /**
   * Lets go of the job with a last word that depends on all that is known of it: how it ends, or that it waits. `decide` records it; when
   * somebody else has appended in between, what it recorded is taken back and it is asked again.
   * @param decide returns false when, after such a change, the job is to be gone on with
   * @param wakeAt with `park`: RFC 3339, or null to wait for an event only
   */
  async conclude(
    delivery: 'release' | 'park',
    wakeAt: string | null,
    decide: (changed: boolean) => boolean | Promise<boolean>,
  ): Promise<Conclusion> {
    this.givenUp = true;
    const before = this.recorded;
    await decide(false);
    const end = await this.persist(delivery, wakeAt, async () => {
      this.takeBack(before);
      return decide(true);
    });
    if (end === 'changed') this.givenUp = false;
    return end;
  }

  /** As `commit`, in the same transaction as other writes of the caller's. An error rolls everything back and loses the claim. */
  async commitWithin(client: DatabaseClient): Promise<boolean> {
    for (;;) {
      const transition = this.seal('keep', null);
      if (await this.store.writeWithin(client, transition)) {
        this.accept(transition);
        return true;
      }
      const tail = await this.store.tail(this.state, this.head.seq, client);
      if (tail?.epoch !== this.epoch || tail.events.length === 0) {
        this.lose();
        return false;
      }
      this.rebase(tail);
    }
  }

  /** Learns what others have appended, without writing. @returns false when the claim was lost */
  async catchUp(): Promise<boolean> {
    const tail = await this.store.tail(this.state, this.head.seq);
    if (tail?.epoch === this.epoch) this.rebase(tail);
    else this.lose();
    return !this.lost.aborted;
  }

  private async persist(
    delivery: Delivery,
    wakeAt: string | null,
    again: () => boolean | Promise<boolean>,
  ): Promise<Conclusion> {
    for (let pauseMs = 0; !this.lost.aborted;) {
      const transition = this.seal(delivery, wakeAt);
      try {
        if (await this.store.write(transition)) {
          this.accept(transition);
          return 'written';
        }
        const found = await this.find(transition);
        if (found === 'changed' && !(await again())) return 'changed';
        if (found === 'written') return 'written';
        if (found === 'lost') break;
      } catch (error) {
        if (!(error instanceof AppError && error.retryable)) throw error;
        pauseMs = longerPause(pauseMs);
        await pause(pauseMs, this.lost);
      }
    }
    this.lose();
    return 'lost';
  }

  /** Why a transition was not written: others were faster, the claim is gone, or it had been written and its answer never came. */
  private async find(transition: Transition): Promise<Conclusion> {
    const tail = await this.store.tail(this.state, this.head.seq);
    if (tail === null) return 'lost';
    const own = tail.events.findIndex((event) => event.hash === transition.head.hash);
    if (own >= 0) {
      this.accept(transition);
      if (tail.epoch === this.epoch) this.rebase({ ...tail, events: tail.events.slice(own + 1) });
      return 'written';
    }
    if (tail.epoch !== this.epoch || tail.events.length === 0) return 'lost';
    this.rebase(tail);
    return 'changed';
  }

  /** Puts what is recorded here behind what others have appended. */
  private rebase({ events }: Tail): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.committed = events.reduce<JobState>((state, event) => reduceJob(state, event), this.committed);
    this.head = { seq: last.seq, hash: last.hash };
    this.takeBack(this.recorded);
    this.noticeCutShort();
  }

  /** Folds anew what is durable and then these facts, and no others. */
  private takeBack(recorded: NewEvent[]): void {
    this.state = this.committed;
    this.recorded = [];
    for (const event of recorded) this.add(event);
  }

  /** A fact is never before the last one, even when the clock was set back or another host's runs behind. */
  private add(event: NewEvent): void {
    const late = event.timestamp < this.state.updatedAt;
    const stamped: NewEvent = late ? { ...event, timestamp: this.state.updatedAt } : event;
    this.state = reduceJob(this.state, foldable(stamped, this.state));
    this.recorded = [...this.recorded, stamped];
  }

  private noticeCutShort(): void {
    if (this.state.cancelRequestedAt !== null) this.cancel();
    const deadline = deadlineOf(this.state);
    if (deadline === null || this.deadline !== undefined) return;
    const leftMs = Math.max(0, Date.parse(deadline) - Date.parse(this.clock.now()));
    if (leftMs <= LONGEST_TIMER_MS) this.deadline = setTimeout(() => this.runOut(), leftMs);
  }

  private runOut(): void {
    const seconds = timeoutSecondsOf(this.state);
    this.cutting.abort(
      new AppError('JOB_TIMEOUT', `the job did not end within ${seconds} s (timeoutSeconds of the job)`),
    );
  }

  private seal(delivery: Delivery, wakeAt: string | null): Transition {
    const { events, head } = sealEvents(this.head, this.id, this.state.workspaceId, this.recorded);
    return {
      ...{ before: this.committed, after: this.state, epoch: this.epoch, headBefore: this.head, head, events },
      ...{ delivery, wakeAt, workdir: this.workdir, sandboxJobs: this.sandboxJobs },
    };
  }

  private accept(transition: Transition): void {
    this.commits += 1;
    this.head = transition.head;
    this.committed = transition.after;
    this.recorded = [];
    this.sandboxJobs = [];
    if (transition.delivery === 'offer') this.offers += 1;
  }
}

function foldable(event: NewEvent, { workspaceId, id }: JobState): FoldableEvent {
  const { type, phase, stepId, timestamp, payload, actor } = event;
  return { type, phase, stepId, timestamp, payload, workspaceId, jobId: id, actorType: actor.type, actorId: actor.id };
}
