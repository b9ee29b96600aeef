import { setTimeout as delay } from 'node:timers/promises';
import type { AppProcess } from '#testing';
import { processesOf } from '../e2e/processes.js';
import { until } from '../e2e/system/system-fixture.js';
import { allOver, expectGuarantees, expectNoProcesses, factsOf, marksOf } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { scaled } from './scale.js';
import { heldBy, takeoverTimes, type Orphan } from './takeover.js';
import { countedJobs, sandboxedJob } from './workload.js';

/** Of the guarantee, with the default lease and pause between two looks. */
const TAKEN_OVER_WITHIN_MS = 10_000;

/** Workers are killed with SIGKILL at random moments, each replaced a moment later, while hundreds of jobs are in flight. */
export async function killWorkersAtRandom(system: FaultSystem): Promise<void> {
  const done = measure('worker kill -9 at random', system.backend);
  const { jobs, workers, kills, seconds } = scaled({
    short: { jobs: 40, workers: 2, kills: 1, seconds: [0.5, 2] as [number, number] },
    long: { jobs: 240, workers: 3, kills: 6, seconds: [0.5, 2] as [number, number] },
  });
  const alive: AppProcess[] = await Promise.all(Array.from({ length: workers }, () => system.startWorker()));
  const ids = await system.submit(countedJobs(jobs, system.marks, seconds));
  const orphans: Orphan[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    await someRun(system, ids);
    await delay(Math.random() * 1_000);
    const [victim] = alive.splice(Math.floor(Math.random() * alive.length), 1);
    if (victim === undefined) break;
    const killedAt = Date.now();
    await victim.kill();
    orphans.push(...(await heldBy(system, victim.pid, killedAt)));
    alive.push(await system.startWorker());
  }
  await allOver(system, ids, 120_000);
  const times = takeoverTimes(orphans, await factsOf(system, ids));
  done(jobs, kills, await expectGuarantees(system, ids), times);
  expect(times.length).toBeGreaterThan(0);
  expect(Math.max(...times)).toBeLessThan(TAKEN_OVER_WITHIN_MS);
}

/** The same once, with commands in a sandbox: all of their processes go with the worker. */
export async function killWorkerWithSandboxes(system: FaultSystem): Promise<void> {
  const done = measure('worker kill -9, commands in bubblewrap', system.backend);
  const victim = await system.startWorker({ SANDBOX: 'bubblewrap' });
  const ids = await system.submit(Array.from({ length: 10 }, () => sandboxedJob(system.marks)));
  await until('a first attempt of every job', async () =>
    (await firstAttempts(system, ids)) === ids.length ? true : null,
  );
  await until('a sandbox', () => (processesOf(system.marks).length > 0 ? true : null));
  const killedAt = Date.now();
  await victim.kill();
  const orphans = await heldBy(system, victim.pid, killedAt);
  await expectNoProcesses(system, 5_000);
  await system.startWorker({ SANDBOX: 'bubblewrap' });
  await allOver(system, ids, 120_000);
  const times = takeoverTimes(orphans, await factsOf(system, ids));
  done(ids.length, 1, await expectGuarantees(system, ids, 60_000, false), times);
  expect(times.length).toBeGreaterThan(0);
  expect(Math.max(...times)).toBeLessThan(TAKEN_OVER_WITHIN_MS);
}

async function firstAttempts(system: FaultSystem, ids: string[]): Promise<number> {
  const rows = await system.sql('SELECT id FROM job_steps WHERE job_id = ANY ($1::uuid[]) AND attempt = 1', [ids]);
  return rows.length;
}

/** Until a command of these jobs has begun and some are left to do. */
async function someRun(system: FaultSystem, ids: string[]): Promise<void> {
  const mine = new Set(ids);
  while (!marksOf(system).some((mark) => mine.has(mark.split(' ')[0] ?? ''))) await delay(20);
}
