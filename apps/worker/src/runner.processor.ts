import { Injectable } from '@nestjs/common';
import { QueueWorkers } from '#queue';
import { JobRunner } from '#runner';

/** The queue `runner`: every message names a job that may be claimed. */
@Injectable()
export class RunnerProcessor {
  constructor(workers: QueueWorkers, runner: JobRunner, options: { concurrency: number }) {
    workers.register('runner', options, async ({ jobId }) => {
      await runner.wake(jobId);
    });
  }
}
