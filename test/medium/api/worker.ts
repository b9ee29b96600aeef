import { NestFactory } from '@nestjs/core';
import type { Config } from '#config';
import { QueueWorkers } from '#queue';
import { RunnerService } from '../../../apps/worker/src/runner.service.js';
import { WorkerModule } from '../../../apps/worker/src/worker.module.js';

/** A worker process's application inside the test. @returns stops it */
export async function startWorker(config: Config): Promise<() => Promise<void>> {
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config, ['runner']), { logger: false });
  await app.get(RunnerService).start();
  await app.get(QueueWorkers).start(['runner']);
  return async () => {
    const paused = app.get(QueueWorkers).pause();
    await app.get(RunnerService).stop(0);
    await paused;
    await app.close();
  };
}
