import { Injectable, Logger } from '@nestjs/common';
import { AppError, messageOf, systemClock, type Clock } from '#kernel';
import { QueueProducer } from '#queue';
import type { Phase } from '../definition/definition.js';
import { JobStore } from '../store/job.store.js';
import { isTerminalStep } from '../state/step.machine.js';
import { firstFailure, isPhaseOver, resultOf, stepsOf } from './decide.js';
import { HeldJob } from './held-job.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { StepRunner, type StepEnd } from './step-runner.js';
import type { Workdirs } from './workdirs.js';

export interface JobRunnerOptions {
  workerId: string;
  /** Phases that together took less than this go on in the same wake-up. */
  handoverAfterMs: number;
}

/** How a wake-up ended; for logs and tests. */
export type WakeEnd = 'not claimed' | 'finished' | 'handed over' | 'interrupted' | 'lost';

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
    private readonly queue: QueueProducer,
    private readonly workdirs: Workdirs,
    private readonly options: JobRunnerOptions,
  ) {}

  /** Resolves when this wake-up's part is done. Never rejects for reasons of the job's own. */
  wake(jobId: string): Promise<WakeEnd> {
    const run = this.claimAndRun(jobId);
    this.running.add(run);
    void run.finally(() => this.running.delete(run)).catch(() => undefined);
    return run;
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
    const claimed = await this.store.claim(jobId);
    if (claimed === null) return 'not claimed';
    const job = new HeldJob(this.store, this.clock, { type: 'worker', id: this.options.workerId }, claimed);
    this.leases.hold(job, claimedAt);
    try {
      return await this.runPhases(job);
    } catch (error) {
      this.logger.error(
        `job ${jobId} cannot go on: ${messageOf(error)}`,
        error instanceof Error ? error.stack : undefined,
      );
      return await this.giveUp(job);
    } finally {
      this.leases.letGo(job);
    }
  }

  private async runPhases(job: HeldJob): Promise<WakeEnd> {
    const startedAt = performance.now();
    if (job.state.status === 'QUEUED') job.record('job.started', { workerId: this.options.workerId });
    for (let phase = job.state.currentPhase; phase !== null; phase = job.state.currentPhase) {
      const end = await this.runPhase(job, phase);
      if (end === 'lost') return 'lost';
      if (end === 'interrupted') return this.handOver(job, 'interrupted');
      if (job.state.currentPhase === null) break;
      if (this.draining || performance.now() - startedAt >= this.options.handoverAfterMs)
        return this.handOver(job, 'handed over');
    }
    return this.finish(job);
  }

  private async runPhase(job: HeldJob, phase: Phase): Promise<StepEnd> {
    const steps = stepsOf(job.state, phase);
    const skipped = phase !== 'CLEANUP' && firstFailure(job.state) !== null;
    if (steps.length === 0 || (skipped && steps.every((step) => step.status === 'PENDING')))
      return this.skipPhase(job, phase, skipped);

    const startedAt = performance.now();
    job.record('phase.started', { workerId: this.options.workerId, epoch: job.epoch }, { phase });
    for (const step of steps) {
      if (isTerminalStep(step.status)) continue;
      if (this.draining && step.status === 'PENDING') return 'interrupted';
      const end = await this.steps.run(job, step.id, this.stopping.signal);
      if (end !== 'over') return end;
      // What a step did is known to everybody before the next one begins. Steps that touch nothing wait for the next commit.
      if (step.type !== 'GATE' && !(await job.commit())) return 'lost';
    }
    if (!isPhaseOver(job.state, phase)) throw new Error(`phase ${phase} of job ${job.id} has steps left`);
    this.endPhase(job, phase, Math.round(performance.now() - startedAt));
    return 'over';
  }

  private skipPhase(job: HeldJob, phase: Phase, afterFailure: boolean): StepEnd {
    for (const step of stepsOf(job.state, phase)) job.record('step.skipped', { reason: 'PRECEDING_FAILURE' }, { step });
    job.record('phase.skipped', { reason: afterFailure ? 'PRECEDING_FAILURE' : 'EMPTY' }, { phase });
    return 'over';
  }

  private endPhase(job: HeldJob, phase: Phase, durationMs: number): void {
    const failure = firstFailure({ ...job.state, steps: stepsOf(job.state, phase) });
    if (failure === null) job.record('phase.completed', { durationMs }, { phase });
    else job.record('phase.failed', { durationMs, stepKey: failure.key }, { phase });
  }

  private async finish(job: HeldJob): Promise<WakeEnd> {
    const result = resultOf(job.state, this.clock.now());
    const failure = firstFailure(job.state);
    if (failure === null) job.record('job.completed', { result });
    else {
      const { id, key, errorCode, errorMessage } = failure;
      job.record('job.failed', {
        code: errorCode ?? 'INTERNAL',
        message: `step "${key}": ${errorMessage ?? ''}`,
        stepId: id,
        stepKey: key,
        result,
      });
    }
    if (!(await job.commit('release'))) return 'lost';
    await this.workdirs
      .close(job.state)
      .catch((error: unknown) => this.logger.warn(`the workdir of job ${job.id} stays: ${messageOf(error)}`));
    return 'finished';
  }

  /** Lets go of the job and offers it for its next phase. An offer that fails is made up for by the reconciler. */
  private async handOver(job: HeldJob, end: WakeEnd): Promise<WakeEnd> {
    if (!(await job.commit('offer'))) return 'lost';
    const { id, workspaceId, priority } = job.state;
    await this.queue
      .offer('runner', [{ id: `${id}_${job.offers}`, payload: { jobId: id, workspaceId }, priority }])
      .catch((error: unknown) =>
        this.logger.warn(`job ${id} was not offered, the reconciler will: ${messageOf(error)}`),
      );
    return end;
  }

  /** Last resort after an error of our own: the job ends instead of coming back for ever. */
  private async giveUp(job: HeldJob): Promise<WakeEnd> {
    if (job.lost.aborted) return 'lost';
    job.discard();
    if (job.state.status === 'QUEUED') job.record('job.started', { workerId: this.options.workerId });
    this.steps.abandon(job);
    const message = "an error inside Runledger ended the job; the worker's log has the details";
    job.record('job.failed', {
      code: 'INTERNAL',
      message,
      stepId: null,
      stepKey: null,
      result: resultOf(job.state, this.clock.now()),
    });
    if (!(await job.commit('release'))) return 'lost';
    await this.workdirs.close(job.state).catch(() => undefined);
    return 'finished';
  }
}
