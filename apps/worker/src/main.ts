import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig, makeDataFolder, ProcessLog, runProcess, stopInOrder } from '#config';
import { Database, namingDatabase } from '#database';
import { parseQueueNames, probeQueue, queueConnection, QueueProducer, QueueWorkers } from '#queue';
import { Scheduler } from '#schedules';
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
  // Until it can work there is one thing worth saying, which is why it cannot; and that is in the error.
  log.pino.level = 'silent';
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config, queues), {
    logger: log,
    abortOnError: false,
  });
  await makeDataFolder(config.dataDir);
  await namingDatabase('DATABASE_URL', config.database.url, () => app.get(Database).ping());
  await probeQueue(queueConnection(config, 'runledger_worker'));
  await app.get(QueueProducer).ping();
  log.pino.level = config.log.level;
  stopInOrder(log, config.runner.graceMs, () => stop(app, config.runner.graceMs));
  await app.get(RunnerService).start();
  await app.get(Scheduler).start();
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
async function stop(app: INestApplicationContext, graceMs: number): Promise<void> {
  const paused = app.get(QueueWorkers).pause();
  await app.get(Scheduler).stop();
  await app.get(RunnerService).stop(graceMs);
  await paused;
  await app.close();
}

runProcess('runledger worker', main);
