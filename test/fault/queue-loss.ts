import { Redis } from 'ioredis';
import type { RedisServer } from '#testing';
import { until } from '../e2e/system/system-fixture.js';
import { expectGuarantees } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { scaled } from './scale.js';
import { countedJobs } from './workload.js';

/** Every phase is a message, so that the loss meets jobs in every state. */
const SETTINGS = { RUNNER_HANDOVER_AFTER_MS: '0' };

/** Redis loses everything that it holds, several times. */
export async function flushRedis(system: FaultSystem): Promise<void> {
  const done = measure('Redis FLUSHALL', system.backend);
  const faults = scaled({ short: 1, long: 3 });
  const ids = await submitHundreds(system);
  for (let fault = 0; fault < faults; fault += 1) {
    await someAreOver(system, ids, ((fault + 1) * ids.length) / (faults + 4));
    const redis = new Redis(redisOf(system).url);
    await redis.flushall();
    redis.disconnect();
  }
  done(ids.length, faults, await expectGuarantees(system, ids, 120_000));
}

/** Redis is killed, and comes back empty a moment later. */
export async function crashRedis(system: FaultSystem): Promise<void> {
  const done = measure('Redis killed and restarted', system.backend);
  const ids = await submitHundreds(system);
  await someAreOver(system, ids, ids.length / 5);
  await redisOf(system).kill();
  // Accepted all the same: the database has them.
  const accepted = await system.submit(countedJobs(5, system.marks, [0, 0.1]));
  await redisOf(system).restart();
  ids.push(...accepted);
  done(ids.length, 1, await expectGuarantees(system, ids, 120_000));
}

export async function submitHundreds(system: FaultSystem): Promise<string[]> {
  await Promise.all([system.startWorker(SETTINGS), system.startWorker(SETTINGS)]);
  const { jobs, seconds } = scaled({
    short: { jobs: 20, seconds: [0.1, 0.4] as [number, number] },
    long: { jobs: 120, seconds: [0.1, 1] as [number, number] },
  });
  return system.submit(countedJobs(jobs, system.marks, seconds));
}

export async function someAreOver(system: FaultSystem, ids: string[], count: number): Promise<void> {
  await until(
    `${count} jobs that are over`,
    async () => {
      const [row] = await system.sql<{ over: number }>(
        'SELECT count(completed_at)::int AS over FROM runner_jobs WHERE id = ANY ($1::uuid[])',
        [ids],
      );
      return (row?.over ?? 0) >= count ? true : null;
    },
    60_000,
  );
}

function redisOf({ redis }: FaultSystem): RedisServer {
  if (redis === null) throw new Error('the queue is not on Redis');
  return redis;
}
