import { Injectable, Logger } from '@nestjs/common';
import { AppError, messageOf, storableText, type ErrorCode, type JsonObject } from '#kernel';
import { evaluateCondition } from '../expressions/evaluate-expression.js';
import { ExecutorRegistry } from '../executors/executor-registry.js';
import type { StepOutcome, StepRun } from '../executors/executor.js';
import type { StepState } from '../state/job-state.js';
import { definitionOf, expressionContext, firstFailure } from './decide.js';
import type { HeldJob } from './held-job.js';

/** `over`: the step has reached its end, be it good or bad. `interrupted`: it waits for another attempt. `lost`: leave the job alone. */
export type StepEnd = 'over' | 'interrupted' | 'lost';

/** A step whose workers keep dying in the middle of it is given up after so many attempts: it is probably what kills them. */
const MAX_ATTEMPTS_CUT_SHORT = 10;

/** Of an error's text in the ledger, in characters. */
const MAX_MESSAGE_LENGTH = 4_000;

/** Carries one step from wherever it is to its end. */
@Injectable()
export class StepRunner {
  private readonly logger = new Logger(StepRunner.name);

  constructor(private readonly executors: ExecutorRegistry) {}

  /** @param stopping aborted when the worker shuts down and the step has had its grace period */
  async run(job: HeldJob, stepId: string, stopping: AbortSignal): Promise<StepEnd> {
    const step = this.current(job, stepId);
    if (step.status === 'RUNNING' && !this.takeOver(job, step)) return 'over';
    if (this.skip(job, step)) return 'over';
    return this.attempt(job, stepId, AbortSignal.any([job.lost, stopping]));
  }

  /** Ends every step of a job that cannot go on. */
  abandon(job: HeldJob): void {
    for (const step of job.state.steps) {
      if (step.status === 'RUNNING')
        this.recordFailure(job, step, 0, { ...asFailure(undefined), outputs: {}, exitCode: null });
      if (step.status === 'PENDING') job.record('step.skipped', { reason: 'PRECEDING_FAILURE' }, { step });
    }
  }

  /** The worker of the last attempt died. @returns false when that happened too often and the step has failed now */
  private takeOver(job: HeldJob, step: StepState): boolean {
    if (step.attempt < MAX_ATTEMPTS_CUT_SHORT) {
      job.record('step.retrying', { attempt: step.attempt, reason: 'INTERRUPTED', delayMs: 0 }, { step });
      return true;
    }
    this.recordFailure(job, step, 0, {
      code: 'INTERRUPTED',
      message: `its worker stopped in the middle of it ${step.attempt} times`,
      outputs: {},
      exitCode: null,
    });
    return false;
  }

  private skip(job: HeldJob, step: StepState): boolean {
    if (step.phase !== 'CLEANUP' && firstFailure(job.state) !== null) {
      job.record('step.skipped', { reason: 'PRECEDING_FAILURE' }, { step });
      return true;
    }
    const { when } = definitionOf(step);
    if (when === null) return false;
    try {
      if (evaluateCondition(when, expressionContext(job.state))) return false;
      job.record('step.skipped', { reason: 'CONDITION', detail: when }, { step });
    } catch (error) {
      this.begin(job, step);
      this.recordFailure(job, this.current(job, step.id), 0, { ...asFailure(error), outputs: {}, exitCode: null });
    }
    return true;
  }

  private async attempt(job: HeldJob, stepId: string, stop: AbortSignal): Promise<StepEnd> {
    const startedAt = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - startedAt);
    const context = expressionContext(job.state);
    const step = this.begin(job, this.current(job, stepId));
    const recordCompleted = (outputs: JsonObject): void => this.recordCompletion(job, step, elapsedMs(), outputs, null);
    const outcome = await this.execute({ job, step, definition: definitionOf(step), context, stop, recordCompleted });
    return this.settle(job, stepId, outcome, elapsedMs());
  }

  private begin(job: HeldJob, step: StepState): StepState {
    job.record('step.started', { key: step.key, attempt: step.attempt + 1 }, { step });
    return this.current(job, step.id);
  }

  /** Whatever an executor throws is the failure of its step, never of the worker. */
  private async execute(run: StepRun): Promise<StepOutcome> {
    try {
      return await this.executors.execute(run);
    } catch (error) {
      if (run.job.lost.aborted) return { kind: 'lost' };
      if (!(error instanceof AppError))
        this.logger.error(
          `step ${run.step.key} of job ${run.job.id}: ${messageOf(error)}`,
          error instanceof Error ? error.stack : undefined,
        );
      run.job.discard();
      return { kind: 'failed', ...asFailure(error), outputs: {}, exitCode: null };
    }
  }

  private settle(job: HeldJob, stepId: string, outcome: StepOutcome, durationMs: number): StepEnd {
    // An executor's failure may have thrown away an uncommitted beginning.
    const step =
      this.current(job, stepId).status === 'PENDING'
        ? this.begin(job, this.current(job, stepId))
        : this.current(job, stepId);
    switch (outcome.kind) {
      case 'completed':
        this.recordCompletion(job, step, durationMs, outcome.outputs, outcome.exitCode);
        return 'over';
      case 'failed':
        this.recordFailure(job, step, durationMs, outcome);
        return 'over';
      case 'recorded':
        return 'over';
      case 'interrupted':
        job.record('step.retrying', { attempt: step.attempt, reason: 'INTERRUPTED', delayMs: 0 }, { step });
        return 'interrupted';
      case 'lost':
        return 'lost';
    }
  }

  private recordCompletion(
    job: HeldJob,
    step: StepState,
    durationMs: number,
    outputs: JsonObject,
    exitCode: number | null,
  ): void {
    job.record('step.completed', { attempt: step.attempt, outputs, exitCode, durationMs }, { step });
  }

  private recordFailure(
    job: HeldJob,
    step: StepState,
    durationMs: number,
    failure: { code: ErrorCode; message: string; outputs: JsonObject; exitCode: number | null },
  ): void {
    const { code, message, outputs, exitCode } = failure;
    const continued = definitionOf(step).continueOnError;
    job.record(
      'step.failed',
      {
        attempt: step.attempt,
        code,
        message: storableText(message, MAX_MESSAGE_LENGTH),
        durationMs,
        exitCode,
        outputs,
        continued,
      },
      { step },
    );
  }

  private current(job: HeldJob, stepId: string): StepState {
    const step = job.state.steps.find((candidate) => candidate.id === stepId);
    if (step === undefined) throw new Error(`job ${job.id} has no step ${stepId}`);
    return step;
  }
}

function asFailure(error: unknown): { code: ErrorCode; message: string } {
  if (error instanceof AppError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: "an error inside Runledger ended the step; the worker's log has the details" };
}
