import { Injectable, Logger } from '@nestjs/common';
import { AppError, messageOf } from '#kernel';
import type { Checkpoints } from '../checkpoints/checkpoints.js';
import type { Phase } from '../definition/definition.js';
import { evaluateCondition } from '../expressions/evaluate-expression.js';
import { ExecutorRegistry } from '../executors/executor-registry.js';
import type { StepOutcome, StepRun } from '../executors/executor.js';
import type { ReuseDecider } from '../retry/reuse-decider.js';
import type { StepState } from '../state/job-state.js';
import type { JobStore } from '../store/job.store.js';
import { definitionOf, expressionContext, firstFailure } from './decide.js';
import type { HeldJob } from './held-job.js';
import { pause } from './pause.js';
import { asFailure, StepRecords, type Failure } from './step-records.js';

/**
 * `over`: the step has reached its end, be it good or bad. `interrupted`: another attempt follows elsewhere. `waiting`: nothing is to be
 * done before `until`, or before something outside happens. `lost`: leave the job alone.
 */
export type StepEnd = { kind: 'over' | 'interrupted' | 'lost' } | { kind: 'waiting'; until: string | null };

/** A pause between two attempts that is no longer is waited out; for a longer one the job is let go of. */
const LONGEST_PAUSE_IN_PLACE_MS = 1_000;

/** Carries one step from wherever it is to its end. */
@Injectable()
export class StepRunner {
  private readonly logger = new Logger(StepRunner.name);

  constructor(
    private readonly executors: ExecutorRegistry,
    private readonly store: JobStore,
    private readonly records: StepRecords,
    private readonly reuse: ReuseDecider,
    private readonly checkpoints: Checkpoints,
  ) {}

  /** @param stopping aborted when the worker shuts down and the step has had its grace period */
  async run(job: HeldJob, stepId: string, stopping: AbortSignal): Promise<StepEnd> {
    for (;;) {
      const step = this.records.current(job, stepId);
      if (this.cutShort(job, step)) return { kind: 'over' };
      if (step.status === 'RUNNING' && !this.executors.resumes(definitionOf(step))) {
        await this.takeOver(job, step);
        if (this.records.current(job, stepId).status !== 'PENDING') return { kind: 'over' };
      }
      const reuse = await this.reuse.decide(job, step);
      if (reuse.kind === 'reused') return { kind: 'over' };
      if (reuse.kind === 'elsewhere') return { kind: 'interrupted' };
      if (this.skip(job, step)) return { kind: 'over' };
      const wait = await this.waitForRetry(job, step, stopping);
      if (wait !== null) return wait;
      const end = await this.attempt(job, stepId, stopping, reuse.notReused);
      if (end !== 'again') return end;
    }
  }

  /** To be called when the steps of a phase are over, before the phase is: keeps the workdir for a retry or another host. */
  async afterPhase(job: HeldJob, phase: Phase): Promise<void> {
    await this.checkpoints.afterPhase(job, phase);
  }

  /** Ends every step of a job that cannot go on. */
  abandon(job: HeldJob): void {
    for (const step of job.state.steps) {
      if (step.status === 'RUNNING') this.records.failed(job, step, 0, asFailure(undefined));
      if (step.status === 'PENDING') job.record('step.skipped', { reason: 'PRECEDING_FAILURE' }, { step });
    }
  }

  /** Ends a step that must not run, or not go on, because the job is to end early. CLEANUP runs all the same, but nobody waits in it. */
  private cutShort(job: HeldJob, step: StepState): boolean {
    const reason = job.cutShort;
    const resumes = this.executors.resumes(definitionOf(step));
    if (reason === null || (step.phase === 'CLEANUP' && !resumes)) return false;
    const waitedMs = resumes && step.startedAt !== null ? Math.max(0, Date.now() - Date.parse(step.startedAt)) : 0;
    if (step.status === 'RUNNING') this.records.stopped(job, step, null, waitedMs);
    else job.record('step.skipped', { reason }, { step });
    return true;
  }

  /** The worker of the last attempt died. */
  private async takeOver(job: HeldJob, step: StepState): Promise<void> {
    this.records.interrupted(job, step);
    await this.store.abandonExecution(step.id, step.attempt);
  }

  private skip(job: HeldJob, step: StepState): boolean {
    if (step.status === 'RUNNING') return false;
    if (step.phase !== 'CLEANUP' && firstFailure(job.state) !== null) {
      job.record('step.skipped', { reason: 'PRECEDING_FAILURE' }, { step });
      return true;
    }
    const { when } = definitionOf(step);
    if (when === null || step.attempt > 0) return false;
    try {
      if (evaluateCondition(when, expressionContext(job.state))) return false;
      job.record('step.skipped', { reason: 'CONDITION', detail: when }, { step });
    } catch (error) {
      this.records.failed(job, this.records.begun(job, step), 0, asFailure(error));
    }
    return true;
  }

  private async waitForRetry(job: HeldJob, { id }: StepState, stopping: AbortSignal): Promise<StepEnd | null> {
    const step = this.records.current(job, id);
    const leftMs = step.retryAt === null ? 0 : Date.parse(step.retryAt) - Date.now();
    if (leftMs <= 0) return null;
    // A job that is to end early is not let go of any more: all that is left of it is this.
    if (leftMs > LONGEST_PAUSE_IN_PLACE_MS && job.cutShort === null) return { kind: 'waiting', until: step.retryAt };
    // The attempt that failed is known to everybody before the pause.
    if (!(await job.commit())) return { kind: 'lost' };
    await pause(leftMs, ...this.signals(job, step, stopping));
    if (job.lost.aborted) return { kind: 'lost' };
    if (stopping.aborted) return { kind: 'interrupted' };
    if (!job.ending.aborted) return null;
    if (!(await job.catchUp())) return { kind: 'lost' };
    if (!this.cutShort(job, this.records.current(job, id))) return null;
    return { kind: 'over' };
  }

  private async attempt(
    job: HeldJob,
    stepId: string,
    stopping: AbortSignal,
    notReused: string | null,
  ): Promise<StepEnd | 'again'> {
    const found = this.records.current(job, stepId);
    const resumed = found.status === 'RUNNING';
    const step = resumed ? found : this.records.begun(job, found, notReused);
    const startedAt = resumed && step.startedAt !== null ? Date.parse(step.startedAt) : Date.now();
    const elapsedMs = (): number => Math.max(0, Date.now() - startedAt);
    const signals = this.signals(job, step, stopping);
    const outcome = await this.execute({
      ...{ job, step, definition: definitionOf(step), context: expressionContext(job.state) },
      // Made when it is asked for: most gates never do.
      get stop() {
        return AbortSignal.any(signals);
      },
      recordCompleted: (outputs) => this.records.completed(job, step, elapsedMs(), { outputs, exitCode: null }),
    });
    if (outcome.kind === 'lost' || job.lost.aborted) return { kind: 'lost' };
    // That the job is cancelled is in the ledger before anything that follows from it.
    if (job.ending.aborted && !(await job.catchUp())) return { kind: 'lost' };
    // An executor's failure may have thrown away an uncommitted beginning.
    const left = this.records.current(job, stepId);
    const settled = left.status === 'PENDING' ? this.records.begun(job, left, notReused) : left;
    return this.settle(job, settled, outcome, elapsedMs());
  }

  /** What ends an attempt before its time. */
  private signals(job: HeldJob, step: StepState, stopping: AbortSignal): AbortSignal[] {
    return step.phase === 'CLEANUP' ? [job.lost, stopping] : [job.lost, stopping, job.ending];
  }

  /** Whatever an executor throws is the failure of its step, never of the worker. */
  private async execute(run: StepRun): Promise<StepOutcome> {
    const takeBack = run.job.savepoint();
    try {
      return await this.executors.execute(run);
    } catch (error) {
      if (run.job.lost.aborted) return { kind: 'lost' };
      if (!(error instanceof AppError))
        this.logger.error(
          `step ${run.step.key} of job ${run.job.id}: ${messageOf(error)}`,
          error instanceof Error ? error.stack : undefined,
        );
      takeBack();
      return { kind: 'failed', ...asFailure(error) };
    }
  }

  private settle(job: HeldJob, step: StepState, outcome: StepOutcome, durationMs: number): StepEnd | 'again' {
    switch (outcome.kind) {
      case 'completed':
        this.records.completed(job, step, durationMs, outcome);
        return { kind: 'over' };
      case 'failed':
        return this.settleFailure(job, step, durationMs, outcome);
      case 'recorded':
        return { kind: 'over' };
      case 'waiting':
        return outcome;
      case 'interrupted':
        if (job.cutShort !== null && step.phase !== 'CLEANUP') {
          this.records.stopped(job, step, outcome.exitCode ?? null, durationMs);
          return { kind: 'over' };
        }
        this.records.interrupted(job, step, durationMs);
        return { kind: this.records.current(job, step.id).status === 'PENDING' ? 'interrupted' : 'over' };
      case 'lost':
        return { kind: 'lost' };
    }
  }

  private settleFailure(job: HeldJob, step: StepState, durationMs: number, failure: Failure): StepEnd | 'again' {
    if (job.cutShort === null && this.records.retrying(job, step, failure)) return 'again';
    this.records.failed(job, step, durationMs, failure);
    return { kind: 'over' };
  }
}
