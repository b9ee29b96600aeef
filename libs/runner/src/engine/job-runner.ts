import { Injectable, Logger } from '@nestjs/common';
import { AppError, messageOf, systemClock, type Clock } from '#kernel';
import type { Phase } from '../definition/definition.js';
import { JobStore, type Claimed } from '../store/job.store.js';
import { isTerminalStep } from '../state/step.machine.js';
import { deadlineOf, firstFailure, isPhaseOver, stepsOf } from './decide.js';
import type { Delivery } from './delivery.js';
import { HeldJob } from './held-job.js';
import type { JobEnding } from './job-ending.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { StepRunner, type StepEnd } from './step-runner.js';

export interface JobRunnerOptions {
  workerId: string;
  /** Phases that together took less than this go on in the same wake-up. */
  handoverAfterMs: number;
}

/** How a wake-up ended; for logs and tests. */
export type WakeEnd = 'not claimed' | 'finished' | 'handed over' | 'parked' | 'interrupted' | 'lost';

/**
 * Answers a wake-up: claims the job, runs a phase, and hands the job over for the next one, until no phase is left. Each wake-up starts from
 * the job's rows alone, so it does not matter which worker did what before, or whether it lived to finish it.
 */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<unknown>>();
  private readonly clock: Clock = systemClock;
  private draining = false;

  constructor(
    private readonly store: JobStore,
    private readonly steps: StepRunner,
    private readonly leases: LeaseKeeper,
    private readonly delivery: Delivery,
    private readonly ending: JobEnding,
    private readonly options: JobRunnerOptions,
  ) {}

  /** Resolves when this wake-up's part is done. Never rejects for reasons of the job's own. */
  wake(jobId: string): Promise<WakeEnd> {
    const run = this.claimAndRun(jobId);
    this.running.add(run);
    void run.finally(() => this.running.delete(run)).catch(() => undefined);
    return run;
  }

  /** The job is to be cancelled, as its ledger says: at once where it runs here, and where nobody runs it. */
  async cancel(jobId: string): Promise<void> {
    const held = this.leases.find(jobId);
    if (held !== undefined) held.cancel();
    else if (!this.draining) await this.wake(jobId);
  }

  /**
   * Stops in order: running steps get `graceMs` to end by themselves, then they are interrupted and their jobs go back on offer.
   * Resolves when nothing runs any more.
   */
  async stop(graceMs: number): Promise<void> {
    this.draining = true;
    const interrupt = setTimeout(
      () => this.stopping.abort(new AppError('INTERRUPTED', 'the worker is stopping')),
      graceMs,
    );
    await Promise.allSettled([...this.running]);
    clearTimeout(interrupt);
  }

  private async claimAndRun(jobId: string): Promise<WakeEnd> {
    const claimedAt = performance.now();
    const claimed = await withinTime(this.store.claim(jobId));
    return claimed === null ? 'not claimed' : this.runClaimed(claimed, claimedAt);
  }

  private async runClaimed(claimed: Claimed, claimedAt: number): Promise<WakeEnd> {
    const job = new HeldJob(this.store, this.clock, { type: 'worker', id: this.options.workerId }, claimed);
    this.leases.hold(job, claimedAt);
    this.delivery.claimed();
    try {
      return await this.runPhases(job);
    } catch (error) {
      this.logger.error(
        `job ${job.id} cannot go on: ${messageOf(error)}`,
        error instanceof Error ? error.stack : undefined,
      );
      return await this.giveUp(job);
    } finally {
      job.rest();
      this.leases.letGo(job);
      this.delivery.ended(job.state);
    }
  }

  private async runPhases(job: HeldJob): Promise<WakeEnd> {
    if (this.ending.endsUnstarted(job)) return this.end(job);
    const startedAt = performance.now();
    const begun = new Set<Phase>();
    if (job.state.status === 'QUEUED') job.record('job.started', { workerId: this.options.workerId });
    for (let phase = job.state.currentPhase; phase !== null; phase = job.state.currentPhase) {
      const end = await this.runPhase(job, phase, begun);
      if (end.kind === 'lost') return 'lost';
      if (end.kind === 'interrupted') return this.handOver(job, 'interrupted');
      if (end.kind === 'waiting') {
        const parked = await this.park(job, end.until);
        if (parked !== 'changed') return parked;
        continue;
      }
      if (job.state.currentPhase === null) break;
      if (this.draining || performance.now() - startedAt >= this.options.handoverAfterMs)
        return this.handOver(job, 'handed over');
    }
    return this.end(job);
  }

  private async runPhase(job: HeldJob, phase: Phase, begun: Set<Phase>): Promise<StepEnd> {
    if (job.ending.aborted && !(await job.catchUp())) return { kind: 'lost' };
    const steps = stepsOf(job.state, phase);
    const reason = phase === 'CLEANUP' ? null : whyNotRun(job);
    if (steps.length === 0 || (reason !== null && steps.every((step) => step.status === 'PENDING')))
      return this.skipPhase(job, phase, reason);

    const startedAt = performance.now();
    if (!begun.has(phase))
      job.record('phase.started', { workerId: this.options.workerId, epoch: job.epoch }, { phase });
    begun.add(phase);
    for (const step of steps) {
      if (isTerminalStep(step.status)) continue;
      if (this.draining && step.status === 'PENDING') return { kind: 'interrupted' };
      const end = await this.steps.run(job, step.id, this.stopping.signal);
      if (end.kind !== 'over') return end;
      // What a step did is known to everybody before the next one begins. Steps that touch nothing wait for the next commit.
      if (step.type !== 'GATE' && !(await job.commit())) return { kind: 'lost' };
    }
    if (!isPhaseOver(job.state, phase)) throw new Error(`phase ${phase} of job ${job.id} has steps left`);
    await this.steps.afterPhase(job, phase);
    if (job.lost.aborted) return { kind: 'lost' };
    this.endPhase(job, phase, Math.round(performance.now() - startedAt));
    return { kind: 'over' };
  }

  private skipPhase(job: HeldJob, phase: Phase, reason: WhyNotRun | null): StepEnd {
    for (const step of stepsOf(job.state, phase))
      job.record('step.skipped', { reason: reason ?? 'PRECEDING_FAILURE' }, { step });
    job.record('phase.skipped', { reason: reason ?? 'EMPTY' }, { phase });
    return { kind: 'over' };
  }

  private endPhase(job: HeldJob, phase: Phase, durationMs: number): void {
    const failure = firstFailure({ ...job.state, steps: stepsOf(job.state, phase) });
    if (failure === null) job.record('phase.completed', { durationMs }, { phase });
    else job.record('phase.failed', { durationMs, stepKey: failure.key }, { phase });
  }

  private async end(job: HeldJob): Promise<WakeEnd> {
    return (await this.ending.end(job)) ? 'finished' : 'lost';
  }

  /** Lets go of the job and offers it for its next phase. */
  private async handOver(job: HeldJob, end: WakeEnd): Promise<WakeEnd> {
    if (!(await job.commitAndOffer())) return 'lost';
    await this.delivery.offer(job);
    return end;
  }

  /** Lets go of the job until `until`, or until somebody wakes it. Not when something has just happened: that may be what it waits for. */
  private async park(job: HeldJob, until: string | null): Promise<'parked' | 'lost' | 'changed'> {
    if (job.ending.aborted) return (await job.catchUp()) ? 'changed' : 'lost';
    const times = [until, deadlineOf(job.state)].filter((time) => time !== null);
    const wakeAt = times.sort()[0] ?? null;
    const conclusion = await job.conclude('park', wakeAt, (changed) => !changed);
    if (conclusion !== 'written') return conclusion;
    this.delivery.parked(wakeAt);
    return 'parked';
  }

  /** Last resort after an error of our own. */
  private async giveUp(job: HeldJob): Promise<WakeEnd> {
    if (job.lost.aborted) return 'lost';
    job.discard();
    if (job.state.status === 'QUEUED') job.record('job.started', { workerId: this.options.workerId });
    this.steps.abandon(job);
    return (await this.ending.endBroken(job)) ? 'finished' : 'lost';
  }
}

type WhyNotRun = 'CANCELLED' | 'TIMEOUT' | 'PRECEDING_FAILURE';

/** Why a phase that has not begun is passed over, CLEANUP apart. */
function whyNotRun(job: HeldJob): WhyNotRun | null {
  return job.cutShort ?? (firstFailure(job.state) === null ? null : 'PRECEDING_FAILURE');
}

/**
 * A claim that has no answer in this time counts as failed: the connection may be dead, and others can have the job. (Should it have been
 * granted all the same, its lease runs out.)
 */
const CLAIM_WITHIN_MS = 5_000;

async function withinTime(claim: Promise<Claimed | null>): Promise<Claimed | null> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = new AppError('DATABASE_UNAVAILABLE', 'a claim had no answer', { retryable: true });
    timer = setTimeout(() => reject(error), CLAIM_WITHIN_MS);
  });
  try {
    return await Promise.race([claim, silence]);
  } finally {
    clearTimeout(timer);
  }
}
