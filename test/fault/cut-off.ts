import { setTimeout as delay } from 'node:timers/promises';
import { openLink, type AppProcess, type TcpLink } from '#testing';
import { allOver, expectGuarantees, factsOf } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem, Route } from './fault-system.js';
import { someAreOver } from './queue-loss.js';
import { scaled } from './scale.js';
import { heldBy, takeoverTimes, type Orphan } from './takeover.js';
import { countedJobs } from './workload.js';

const CUT_MS = 20_000;

/** How a connection is lost. `black hole`: those that exist are dead for ever and nobody says so; new ones can be made again. */
export type Cut = 'silence' | 'reset' | 'black hole';

/**
 * Two of three workers lose their way to PostgreSQL or to Redis for 20 s: one after the other, and each in another way. The third goes on.
 * When the way is back, all three do what comes next.
 */
export async function cutOff(system: FaultSystem, from: 'PostgreSQL' | 'Redis', cuts: Cut[]): Promise<void> {
  const done = measure(`20 s cut between worker and ${from}: ${cuts.join(', ')}`, system.backend);
  const jobs = scaled({ short: 20, long: 60 });
  const worlds = await Promise.all(cuts.map(() => startBehindLink(system, from)));
  await system.startWorker();
  const ids = await system.submit(countedJobs(jobs, system.marks, [0.5, 4]));
  await someAreOver(system, ids, 1);
  const orphans: Orphan[] = [];
  for (const [index, { link, worker }] of worlds.entries()) {
    const cutAt = Date.now();
    await fail(link, cuts[index] ?? 'silence');
    // A worker without its queue keeps its jobs.
    if (from === 'PostgreSQL') orphans.push(...(await heldBy(system, worker.pid, cutAt)));
  }
  await delay(CUT_MS);
  for (const { link } of worlds) await link.restore();
  await allOver(system, ids, 120_000);
  const later = await system.submit(countedJobs(jobs / 5, system.marks, [0.1, 0.5]));
  const all = [...ids, ...later];
  await allOver(system, all, 60_000);
  const times = takeoverTimes(await stillOrphaned(system, orphans), await factsOf(system, ids));
  done(all.length, cuts.length, await expectGuarantees(system, all), times);
  for (const { link, worker } of worlds) {
    expect(worker.alive).toBe(true);
    await expectWorks(system, worker);
    await link.close();
  }
}

async function startBehindLink(
  system: FaultSystem,
  from: 'PostgreSQL' | 'Redis',
): Promise<{ link: TcpLink; worker: AppProcess }> {
  const link = await openLink(from === 'Redis' ? (system.redis?.url ?? '') : system.postgres.workerUrl);
  const route: Route = from === 'Redis' ? { redisUrl: link.url } : { databaseUrl: link.url };
  return { link, worker: await system.startWorker({}, route) };
}

async function fail(link: TcpLink, cut: Cut): Promise<void> {
  switch (cut) {
    case 'silence':
      return link.stall();
    case 'black hole':
      return link.blackHole();
    case 'reset':
      return link.cut();
  }
}

/** Without those whose worker had already sent their end when it was cut off. */
async function stillOrphaned(system: FaultSystem, orphans: Orphan[]): Promise<Orphan[]> {
  const rows = await system.sql<{ id: string; epoch: number }>(
    'SELECT id, epoch FROM runner_jobs WHERE id = ANY ($1::uuid[])',
    [orphans.map(({ id }) => id)],
  );
  return orphans.filter(({ id, epoch }) => rows.some((row) => row.id === id && row.epoch > epoch));
}

/** It is not enough to be alive. */
async function expectWorks(system: FaultSystem, worker: AppProcess): Promise<void> {
  for (const deadline = Date.now() + 60_000; ;) {
    const ids = await system.submit(countedJobs(6, system.marks, [0, 0.1]));
    const { facts } = await expectGuarantees(system, ids);
    if (
      [...facts.values()]
        .flat()
        .some(({ type, actor }) => type === 'phase.started' && actor.includes(`/${worker.pid}/`))
    )
      return;
    if (Date.now() > deadline) throw new Error(`worker ${worker.pid} lives and does nothing:\n${worker.log()}`);
  }
}
