import { Injectable } from '@nestjs/common';
import { AppError, storableText, type ErrorCode, type JsonObject } from '#kernel';
import type { StepState } from '../state/job-state.js';
import { definitionOf } from './decide.js';
import { inputsHashOf } from '../retry/step-inputs.js';
import type { HeldJob } from './held-job.js';
import { MAX_INTERRUPTIONS, pauseAfterFailure, pauseAfterInterruption } from './step-retry.js';

/** Of an error's text in the ledger, in characters. */
const MAX_MESSAGE_LENGTH = 4_000;

/** How an attempt failed. */
export interface Failure {
  code: ErrorCode;
  message: string;
  outputs: JsonObject;
  exitCode: number | null;
}

/** What an executor, or an expression, threw. */
export function asFailure(error: unknown): Failure {
  const known = error instanceof AppError;
  const message = "an error inside Runledger ended the step; the worker's log has the details";
  return {
    ...{ code: known ? error.code : 'INTERNAL', message: known ? error.message : message },
    ...{ outputs: {}, exitCode: null },
  };
}

/** Puts into words, for the ledger, what became of a step. */
@Injectable()
export class StepRecords {
  /** The step as it is now: every record makes another object of it. */
  current(job: HeldJob, stepId: string): StepState {
    const step = job.state.steps.find((candidate) => candidate.id === stepId);
    if (step === undefined) throw new Error(`job ${job.id} has no step ${stepId}`);
    return step;
  }

  /**
   * @param notReused in a retry: why the work of the earlier job is not taken over, where it could have been expected to be
   * @returns the step, RUNNING
   */
  begun(job: HeldJob, step: StepState, notReused: string | null = null): StepState {
    const why = notReused === null ? {} : { notReused: storable(notReused) };
    job.record('step.started', { key: step.key, attempt: step.attempt + 1, ...why }, { step });
    return this.current(job, step.id);
  }

  completed(
    job: HeldJob,
    step: StepState,
    durationMs: number,
    { outputs, exitCode }: { outputs: JsonObject; exitCode: number | null },
  ): void {
    const inputsHash = inputsHashOf(job.state, step);
    const inputs = inputsHash === null ? {} : { inputsHash };
    job.record('step.completed', { attempt: step.attempt, outputs, exitCode, durationMs, ...inputs }, { step });
  }

  failed(job: HeldJob, step: StepState, durationMs: number, failure: Failure): void {
    const { code, message, outputs, exitCode } = failure;
    const continued = definitionOf(step).continueOnError;
    const payload = {
      attempt: step.attempt,
      code,
      message: storable(message),
      durationMs,
      exitCode,
      outputs,
      continued,
    };
    job.record('step.failed', payload, { step });
  }

  /** The attempt was ended because the job is to end early. */
  stopped(job: HeldJob, step: StepState, exitCode: number | null, durationMs = 0): void {
    const cancelled = job.cutShort === 'CANCELLED';
    const message = cancelled ? 'the job was cancelled' : 'the time of the job was over (timeoutSeconds of the job)';
    const code = cancelled ? 'CANCELLED' : 'JOB_TIMEOUT';
    this.failed(job, step, durationMs, { code, message, outputs: {}, exitCode });
  }

  /** The attempt failed. @returns false, with nothing recorded, when no other follows */
  retrying(job: HeldJob, step: StepState, { code, message, exitCode }: Failure): boolean {
    const delayMs = pauseAfterFailure(step, { code, exitCode }, Math.random());
    if (delayMs === null) return false;
    job.record(
      'step.retrying',
      {
        ...{ attempt: step.attempt, reason: 'FAILED', ...delay(delayMs) },
        ...{ code, message: storable(message), exitCode },
      },
      { step },
    );
    return true;
  }

  /** The attempt ended because its worker did: another follows, unless the step says otherwise or that happened too often. */
  interrupted(job: HeldJob, step: StepState, durationMs = 0): void {
    const definition = definitionOf(step);
    const delayMs = pauseAfterInterruption(step, definition, Math.random());
    if (delayMs !== null) {
      job.record('step.retrying', { attempt: step.attempt, reason: 'INTERRUPTED', ...delay(delayMs) }, { step });
      return;
    }
    const times = step.interruptions + 1;
    const often = times >= MAX_INTERRUPTIONS ? `${times} times` : '';
    const message = `its worker stopped in the middle of it ${often}`.trimEnd();
    this.failed(job, step, durationMs, { code: 'INTERRUPTED', message, outputs: {}, exitCode: null });
  }
}

function delay(delayMs: number): { delayMs: number; retryAt?: string } {
  return delayMs === 0 ? { delayMs } : { delayMs, retryAt: new Date(Date.now() + delayMs).toISOString() };
}

function storable(message: string): string {
  return storableText(message, MAX_MESSAGE_LENGTH);
}
