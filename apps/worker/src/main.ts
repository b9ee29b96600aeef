import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig, onParentExit, ProcessLog, type Config } from '#config';
import { AppError, messageOf } from '#kernel';
import { parseQueueNames, QueueWorkers } from '#queue';
import { RunnerService } from './runner.service.js';
import { WorkerModule } from './worker.module.js';

/**
 * A worker process: `node dist/apps/worker/src/main.js --queues runner`. Prints `{"ready":true}` on stdout when it serves its queues,
 * stops in order on SIGTERM, SIGINT and when the process that started it is gone.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { queues: { type: 'string', default: 'runner' } } });
  const queues = parseQueueNames(values.queues);
  const config = loadConfig();
  const log = new ProcessLog('worker', config.log.level);
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config, queues), {
    logger: log,
    abortOnError: false,
  });
  stopInOrder(app, config, log);
  await app.get(RunnerService).start();
  await app.get(QueueWorkers).start(queues);
  log.log({
    msg: `serving queue ${queues.join(', ')}`,
    queues,
    concurrency: config.runner.concurrency,
    backend: config.redisUrl === undefined ? 'postgres' : 'redis',
  });
  process.stdout.write(`${JSON.stringify({ ready: true, queues })}\n`);
}

/** New work is refused first, then running steps get their grace, then connections close. */
function stopInOrder(app: INestApplicationContext, config: Config, log: ProcessLog): void {
  let stopping = false;
  const stop = (why: string): void => {
    if (stopping) return;
    stopping = true;
    log.log(`${why}: stopping, running steps have ${config.runner.graceMs} ms`);
    void (async () => {
      const paused = app.get(QueueWorkers).pause();
      await app.get(RunnerService).stop(config.runner.graceMs);
      await paused;
      await app.close();
      process.exit(0);
    })().catch((error: unknown) => {
      log.error(messageOf(error));
      process.exit(1);
    });
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  onParentExit(() => stop('the supervisor is gone'));
}

main().catch((error: unknown) => {
  // What a person can put right is one line; only a defect of ours shows its stack.
  process.stderr.write(
    `${error instanceof AppError ? `runledger worker: ${error.message}` : String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exit(1);
});
