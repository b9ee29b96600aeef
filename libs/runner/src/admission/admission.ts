import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import { QueueProducer } from '#queue';
import type { AdmissionPass, PassResult } from './admission-pass.js';
import type { AdmissionSignals } from './admission-signals.js';
import { Alarm } from './alarm.js';
import { lineId, type LineKey } from './candidate.js';
import type { Conflicts } from './conflicts.js';
import type { DueWork } from './due-work.js';
import type { JobEnder } from './job-ender.js';
import { PASS_SIZE, type NextDue } from './read-ready.js';
import type { WorkerRegistry } from './worker-registry.js';

/** So many jobs wait on the queue for each that workers carry: enough that none is idle, few enough that a newcomer is served soon. */
const WAITING_PER_RUNNING = 2;
/** A free place is given away at once, but single ones not more often than this. */
const REFILL_MS = 20;
/** What is overdue although it was just done is tried again after this. */
const OVERDUE_MS = 100;
/** Passes in a row that found only workspaces that are at their limits. */
const FRUITLESS_PASSES = 20;
/** Where the circle of workspaces begins. */
export const FIRST_WORKSPACE = '00000000-0000-0000-0000-000000000000';

/**
 * Decides which PENDING jobs go to the queue, and when: by the limits of workspaces, keys and rates, by time, and by turns between
 * workspaces. A job is QUEUED in PostgreSQL first and put on the queue after that commit; where the second does not happen, the reconciler
 * makes up for it. Every worker process runs one; their passes exclude each other.
 */
@Injectable()
export class Admission implements AdmissionSignals {
  private readonly logger = new Logger(Admission.name);
  private readonly alarm = new Alarm(() => void this.admitPending());
  private readonly refill = new Alarm(() => void this.admitPending());
  private passing: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  /** Lines that the next pass looks at. */
  private lines = new Map<string, LineKey>();
  /** `performance.now()` at which lines are due, as far as this process knows. */
  private linesDueAt = Infinity;
  /** Where in the circle of workspaces the next pass goes on. */
  private after = FIRST_WORKSPACE;
  /** True when the last pass left jobs that only want a place. */
  private unserved = false;
  private freed = 0;
  private passedAt = -Infinity;

  constructor(
    private readonly pass: AdmissionPass,
    private readonly due: DueWork,
    private readonly conflicts: Conflicts,
    private readonly ender: JobEnder,
    private readonly queue: QueueProducer,
    private readonly registry: WorkerRegistry,
  ) {}

  /** Admits what there is to admit. A call during a pass makes the pass look once more. Never rejects. */
  admitPending(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    this.again = true;
    this.passing ??= this.passes().finally(() => {
      this.passing = null;
    });
    return this.passing;
  }

  jobEnded({ workspaceId, concurrencyKey }: { workspaceId: string; concurrencyKey: string | null }): void {
    if (concurrencyKey === null) return this.placeFreed();
    this.lookAt([{ workspaceId, kind: 'CONCURRENCY', key: concurrencyKey }]);
    void this.admitPending();
  }

  jobClaimed(): void {
    this.placeFreed();
  }

  jobParked(wakeAt: string | null): void {
    if (wakeAt !== null) this.alarm.within(Date.parse(wakeAt) - Date.now());
  }

  /** Ends jobs that will not be started, or that were to be cancelled and are held by nobody. */
  end(jobIds: string[]): void {
    this.ender.end(jobIds);
  }

  /** Does what is due, now or at its time. */
  expect(due: NextDue): void {
    for (const ms of Object.values(due)) if (ms !== null) this.alarm.within(ms);
  }

  /** The engine takes no more jobs. What its last jobs set free is still given away. */
  drain(): void {
    this.ender.stop();
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.alarm.stop();
    this.refill.stop();
    await this.passing;
    await this.registry.leave().catch((error: unknown) => this.logger.warn(`still registered: ${messageOf(error)}`));
  }

  private lookAt(lines: LineKey[]): void {
    for (const line of lines) this.lines.set(lineId(line), line);
  }

  private get window(): number {
    return WAITING_PER_RUNNING * this.registry.concurrency;
  }

  private placeFreed(): void {
    this.freed += 1;
    if (!this.unserved) return;
    const pauseMs = this.freed * 2 >= this.window ? 0 : this.passedAt + REFILL_MS - performance.now();
    if (pauseMs <= 0) void this.admitPending();
    else this.refill.within(pauseMs);
  }

  private async passes(): Promise<void> {
    for (let fruitless = 0; this.again && !this.stopped;) {
      this.again = false;
      try {
        const dueLines = performance.now() >= this.linesDueAt;
        const result = await this.onePass(dueLines);
        fruitless = isFruitless(result) ? fruitless + 1 : 0;
        const more = await this.followUp(result, dueLines);
        if (more && fruitless < FRUITLESS_PASSES) this.again = true;
      } catch (error) {
        this.logger.warn(`jobs were not admitted, the reconciler tries again: ${messageOf(error)}`);
      }
    }
  }

  private async onePass(dueLines: boolean): Promise<PassResult> {
    const lines = [...this.lines.values()];
    this.lines.clear();
    this.freed = 0;
    this.passedAt = performance.now();
    try {
      const result = await this.pass.run({ window: this.window, after: this.after, lines, dueLines });
      await this.offer(result.admitted);
      return result;
    } catch (error) {
      this.lookAt(lines);
      throw error;
    }
  }

  private async offer(admitted: PassResult['admitted']): Promise<void> {
    const offers = admitted.map(({ row, rank }) => ({
      id: `${row.id}_${row.offers + 1}`,
      payload: { jobId: row.id, workspaceId: row.workspace_id },
      priority: rank,
    }));
    await this.queue
      .offer('runner', offers)
      .catch((error: unknown) => this.logger.warn(`jobs were not offered, the reconciler will: ${messageOf(error)}`));
  }

  /** What a pass leads to. @returns true when another one has something to do at once */
  private async followUp({ plan, ready }: PassResult, dueLines: boolean): Promise<boolean> {
    this.unserved = plan.unserved || ready.waiting;
    if (plan.lastServed !== null) this.after = plan.lastServed;
    else if (ready.moreTenants) this.after = ready.tenants.at(-1)?.workspaceId ?? FIRST_WORKSPACE;
    this.lookAt(plan.stalled);
    const learn = this.expectLines(plan, ready, dueLines);
    await Promise.all([this.conflicts.skip(plan.skipped), this.conflicts.oust(plan.ousted)]);
    this.ender.end([...plan.expired, ...plan.skipped.map(({ row }) => row.id)]);
    const released = await this.doDue(ready.due);
    return learn || released || hasMore(plan, ready);
  }

  /** @returns true when lines are due now, or when it is not known any more when they are */
  private expectLines(plan: PassResult['plan'], { now, due }: PassResult['ready'], dueLines: boolean): boolean {
    const inMs = plan.lines.map(({ dueAt }) => dueAt.getTime() - now.getTime());
    if (!dueLines && due.lines !== null) inMs.push(due.lines);
    const soonest = Math.min(...inMs);
    this.linesDueAt = this.passedAt + soonest;
    if (soonest < Infinity) this.alarm.within(soonest);
    return dueLines || soonest <= 0;
  }

  /** @returns true when there is more to admit because of it */
  private async doDue({ delayed, parked, expiring }: NextDue): Promise<boolean> {
    const isDue = (ms: number | null): boolean => ms !== null && ms <= 0;
    for (const ms of [delayed, parked, expiring]) if (ms !== null) this.alarm.within(isDue(ms) ? OVERDUE_MS : ms);
    const [released] = await Promise.all([
      isDue(delayed) ? this.due.releaseDelayed() : 0,
      isDue(parked) ? this.due.offerParked() : 0,
      isDue(expiring) ? this.due.expired().then((ids) => this.ender.end(ids)) : undefined,
    ]);
    return released > 0;
  }
}

function isFruitless({ plan }: PassResult): boolean {
  return plan.admitted.length + plan.held.length + plan.skipped.length === 0;
}

/** True when there are places left, and perhaps jobs for them that this pass did not see. */
function hasMore(plan: PassResult['plan'], ready: PassResult['ready']): boolean {
  if (plan.placesLeft === 0) return ready.places === PASS_SIZE;
  const moved = plan.admitted.length + plan.held.length > 0;
  return ready.moreTenants || plan.exhausted || plan.skipped.length > 0 || (moved && plan.stalled.length > 0);
}
