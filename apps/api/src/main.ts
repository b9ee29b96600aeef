import 'reflect-metadata';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { loadConfig, ProcessLog, runProcess, stopInOrder, type Config } from '#config';
import { Database, namingDatabase } from '#database';
import { AppError } from '#kernel';
import { probeQueue, queueConnection, QueueProducer } from '#queue';
import { createApp } from './create-app.js';

/**
 * The API process: `node dist/apps/api/src/main.js`. Prints `{"ready":true,"url":...}` on stdout when it serves, stops in order on SIGTERM,
 * SIGINT and when the process that started it is gone.
 */
async function main(): Promise<void> {
  const config = loadConfig();
  const log = new ProcessLog('api', config.log.level);
  // Until it serves there is one thing worth saying, which is why it cannot; and that is in the error.
  log.pino.level = 'silent';
  const app = await createApp(config, log);
  await namingDatabase('DATABASE_URL', config.database.url, () => requireDatabase(app.get(Database)));
  await probeQueue(queueConnection(config, 'runledger_api'));
  await app.get(QueueProducer).ping();
  const url = await listen(app, config);
  log.pino.level = config.log.level;
  stopInOrder(log, config.runner.graceMs, () => stop(app, config.runner.graceMs));
  log.log({ msg: `listening on ${url}`, url, backend: config.redisUrl === undefined ? 'postgres' : 'redis' });
  process.stdout.write(`${JSON.stringify({ ready: true, url })}\n`);
}

/** A database that answers but was never migrated would fail every request with a riddle. */
async function requireDatabase(database: Database): Promise<void> {
  const [found] = await database.query<{ migrated: boolean }>(
    "SELECT to_regclass('public.runner_jobs') IS NOT NULL AS migrated",
  );
  if (found?.migrated !== true)
    throw new AppError('CONFIG_INVALID', 'the database has no tables yet: run `npm run db:migrate` first');
}

/** @returns the URL with the port that was really taken */
async function listen(app: NestFastifyApplication, { http: { host, port } }: Config): Promise<string> {
  await app.init();
  try {
    const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
    return await fastify.listen({ host, port });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new AppError(
        'PORT_IN_USE',
        `port ${port} on ${host} is taken: stop what listens there, or set PORT to another one`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Event streams end first, then requests under way are answered, then connections close: Nest's hooks run in this order. */
async function stop(app: NestFastifyApplication, graceMs: number): Promise<void> {
  // A client that neither reads nor leaves must not hold the process for long.
  setTimeout(() => app.getHttpServer().closeAllConnections(), graceMs).unref();
  await app.close();
}

runProcess('runledger api', main);
