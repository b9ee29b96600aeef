import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describeWithRedis, startRedis } from '#testing';
import { clientOf, ended, expectAllWhole, openSystem, type SystemUnderTest } from './system-fixture.js';

const CLIENTS = 6;
const JOBS_EACH = 50;
const gate = (key: string, phase: string): object => ({ key, phase, type: 'GATE', condition: 'true' });
const STEPS = [gate('a', 'SETUP'), gate('b', 'EXECUTION'), gate('c', 'VALIDATION'), gate('d', 'CLEANUP')];

/** A second worker process beside the system's own: they compete for every job. */
async function startRival(env: Record<string, string>): Promise<() => Promise<void>> {
  const { PATH = '', HOME = '' } = process.env;
  const worker = spawn(process.execPath, ['dist/apps/worker/src/main.js', '--queues', 'runner'], {
    env: { PATH, HOME, LOG_LEVEL: 'warn', SANDBOX: 'process', SHUTDOWN_GRACE_MS: '1000', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(worker.stdout, 'data');
  return async () => {
    const exited = once(worker, 'exit');
    worker.kill('SIGTERM');
    await exited;
  };
}

async function crowd(env: Record<string, string>): Promise<void> {
  let databaseUrl = '';
  const system = await openSystem(env, ({ ownerUrl }) => Promise.resolve((databaseUrl = ownerUrl)));
  const stopRival = await startRival({ DATABASE_URL: databaseUrl, DATA_DIR: system.dataDir, ...env });
  const ids = (await Promise.all(Array.from({ length: CLIENTS }, (_, client) => submitAll(system, client)))).flat();
  expect(new Set(ids).size).toBe(CLIENTS * JOBS_EACH);
  const jobs = await expectAllWhole(system.client, ids);
  expect(jobs.every(({ steps }) => steps.every(({ attempt }) => attempt === 1))).toBe(true);

  const listed: string[] = [];
  for await (const { id } of system.client.listJobs({ status: 'COMPLETED', pageSize: 70 })) listed.push(id);
  expect(listed.sort()).toEqual([...ids].sort());
  await stopRival();
  await system.close();
}

/** One job after the other, as a client does that has many; the last one followed to its end. */
async function submitAll(system: SystemUnderTest, number: number): Promise<string[]> {
  const client = clientOf(system);
  const ids: string[] = [];
  for (let index = 0; index < JOBS_EACH; index += 1)
    ids.push((await client.submit({ name: `client ${number}, job ${index}`, steps: STEPS })).id);
  await ended(client, ids.at(-1) ?? '');
  return ids;
}

describe('hundreds of jobs from several clients at once, with two workers', () => {
  it('are all completed, every step once', () => crowd({}), 120_000);
});

describeWithRedis('hundreds of jobs from several clients at once, with two workers and Redis', () => {
  it('are all completed, every step once', async () => {
    const redis = await startRedis();
    await crowd({ REDIS_URL: redis.url });
    await redis.stop();
  }, 120_000);
});
