import { Injectable } from '@nestjs/common';
import { AppError } from '#kernel';
import { QueueWorkers } from '#queue';
import { JobRunner } from '#runner';

export interface RunnerProcessorOptions {
  concurrency: number;
  /** Whether jobs can be claimed: asked after a message could not be followed, until it can. */
  able: () => Promise<boolean>;
}

/** The queue `runner`: every message names a job that may be claimed. */
@Injectable()
export class RunnerProcessor {
  constructor(workers: QueueWorkers, runner: JobRunner, { concurrency, able }: RunnerProcessorOptions) {
    workers.register('runner', { concurrency }, async ({ jobId }) => {
      try {
        await runner.wake(jobId);
      } catch (error) {
        // The job is offered again: to somebody who can reach the database, it is to be hoped.
        if (error instanceof AppError && error.retryable) void workers.rest(able);
        throw error;
      }
    });
  }
}
