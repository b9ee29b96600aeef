import { Redis } from 'ioredis';
import { describeWithRedis, startRedis, type RedisServer } from '#testing';
import { expectAllWhole, openSystem, until, type SystemUnderTest } from './system-fixture.js';

const gate = (key: string, phase: string): object => ({ key, phase, type: 'GATE', condition: 'true' });
/** One message per phase, so that an outage meets jobs in every state. */
const JOB = {
  name: 'four phases',
  steps: [
    gate('a', 'SETUP'),
    { key: 'work', type: 'COMMAND', run: 'sleep 0.3' },
    gate('b', 'VALIDATION'),
    gate('c', 'CLEANUP'),
  ],
};
const JOBS = 20;

describeWithRedis('a queue on Redis', () => {
  let redis: RedisServer;
  let system: SystemUnderTest;
  beforeAll(async () => {
    redis = await startRedis();
    system = await openSystem({ REDIS_URL: redis.url, RUNNER_HANDOVER_AFTER_MS: '0', RUNNER_CONCURRENCY: '4' });
  }, 90_000);
  afterAll(async () => {
    await system.close();
    await redis.stop();
  });

  const submit = async (count: number): Promise<string[]> =>
    (await Promise.all(Array.from({ length: count }, () => system.client.submit(JOB)))).map(({ id }) => id);

  /** Until some jobs are done, some run and some wait. */
  const underWay = async (): Promise<void> => {
    await until('a job that runs', async () => {
      for await (const _ of system.client.listJobs({ status: 'RUNNING' })) return true;
      return null;
    });
  };

  const readiness = async (status: number): Promise<Response> =>
    until(`/health/ready answering ${status}`, async () => {
      const answer = await fetch(`${system.url}/health/ready`);
      return answer.status === status ? answer : null;
    });

  it('may lose everything: all jobs are completed all the same', async () => {
    const ids = await submit(JOBS);
    await underWay();
    const admin = new Redis(redis.url);
    expect(await admin.dbsize()).toBeGreaterThan(0);
    await admin.flushall();
    admin.disconnect();
    await expectAllWhole(system.client, ids);
  }, 90_000);

  it('may go away: jobs are still accepted, and everything is completed when it is back', async () => {
    const processes = [system.pidOf('api'), system.pidOf('worker')];
    const ids = await submit(JOBS);
    await underWay();
    await redis.kill();

    const red = await readiness(503);
    expect(red.headers.get('retry-after')).toBe('2');
    expect(await red.json()).toMatchObject({
      status: 'unavailable',
      checks: { database: { status: 'ok' }, queue: { status: 'unavailable' } },
    });
    ids.push(...(await submit(5)));
    expect(['PENDING', 'QUEUED']).toContain((await system.client.getJob(ids.at(-1) ?? '')).status);

    await redis.restart();
    await readiness(200);
    await expectAllWhole(system.client, ids);
    // Nobody had to be started again for it.
    expect([system.pidOf('api'), system.pidOf('worker')]).toEqual(processes);
  }, 90_000);
});
