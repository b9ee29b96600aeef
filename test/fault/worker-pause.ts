import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../e2e/system/system-fixture.js';
import { allOver, expectGuarantees, expectNoProcesses, factsOf, marksOf } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { scaled } from './scale.js';
import { heldBy, takeoverTimes, type Orphan } from './takeover.js';
import { lingeringJob } from './workload.js';

const LEASE_MS = 4_000;
const SETTINGS = { RUNNER_LEASE_MS: String(LEASE_MS), RUNNER_RECONCILE_MS: '500', RUNNER_CONCURRENCY: '100' };

/** When the worker wakes up: in the middle of its successor's work, or after the end of everything. */
export type Waking = 'while its successor works' | 'when all is over';

/**
 * A worker is stopped (SIGSTOP) for longer than its lease, as by a virtual machine that was put to sleep, while its commands run on. Some of
 * these end while it sleeps, others would run for minutes. A second worker takes its jobs over; then the first wakes up (SIGCONT).
 */
export async function pauseWorker(system: FaultSystem, waking: Waking): Promise<void> {
  const done = measure(`worker SIGSTOP past its lease, SIGCONT ${waking}`, system.backend);
  const count = scaled({ short: 12, long: 30 });
  const sleeper = await system.startWorker(SETTINGS);
  const ids = await system.submit(
    Array.from({ length: count }, (_, index) => lingeringJob(system.marks, index % 2 === 0 ? 300 : 2)),
  );
  await until('a first attempt of every job', () => (begun(system, ids) === count ? true : null), 60_000);
  const heir = await system.startWorker(SETTINGS);
  const stoppedAt = Date.now();
  sleeper.pause();
  const orphans = await heldBy(system, sleeper.pid, stoppedAt);
  expect(orphans.length).toBeGreaterThan(0);

  if (waking === 'when all is over') await allOver(system, ids, 60_000);
  else await until('a job that was taken over', () => anyTakenOver(system, orphans), 60_000);
  const before = await traceOf(system, ids);
  sleeper.resume();
  // The commands that would run for minutes are the sleeper's to end.
  if (waking === 'when all is over') {
    await expectNoProcesses(system);
    await delay(LEASE_MS);
    expect(await traceOf(system, ids)).toEqual(before);
  }
  await allOver(system, ids, 60_000);
  const all = takeoverTimes(orphans, await factsOf(system, ids));
  // A job that nobody had taken over yet when the sleeper woke up is still the sleeper's, and may be ended by it.
  const times = waking === 'when all is over' ? all : all.filter(Number.isFinite);
  expect(times.length).toBeGreaterThan(0);
  done(count, 1, await expectGuarantees(system, ids), times);
  expect(Math.max(...times)).toBeLessThan(10_000);
  expect([sleeper.alive, heir.alive]).toEqual([true, true]);
  await expectUseful(system, sleeper.pid, () => heir.stop());
}

/** It has lost jobs, not its mind: alone, it does what comes next. */
async function expectUseful(system: FaultSystem, pid: number, stopOthers: () => Promise<void>): Promise<void> {
  await stopOthers();
  const ids = await system.submit([lingeringJob(system.marks, 0)]);
  const { facts } = await expectGuarantees(system, ids);
  const started = [...facts.values()].flat().find(({ type }) => type === 'job.started');
  expect(started?.actor).toContain(`/${pid}/`);
}

function begun(system: FaultSystem, ids: string[]): number {
  const marked = new Set(marksOf(system).map((mark) => mark.split(' ')[0]));
  return ids.filter((id) => marked.has(id)).length;
}

async function anyTakenOver(system: FaultSystem, orphans: Orphan[]): Promise<true | null> {
  const ids = orphans.map(({ id }) => id);
  const rows = await system.sql<{ id: string; epoch: number }>(
    'SELECT id, epoch FROM runner_jobs WHERE id = ANY ($1::uuid[])',
    [ids],
  );
  return orphans.some(({ id, epoch }) => rows.some((row) => row.id === id && row.epoch > epoch)) ? true : null;
}

/** Everything that a write of any kind would change. */
async function traceOf(system: FaultSystem, ids: string[]): Promise<object[]> {
  return system.sql(
    `SELECT job.id, job.epoch, job.version, job.head_seq, job.head_hash, job.offers, job.status, job.lease_owner,
       (SELECT count(*)::int FROM job_events AS e WHERE e.job_id = job.id) AS events,
       (SELECT sum(s.version)::int FROM job_steps AS s WHERE s.job_id = job.id) AS steps,
       (SELECT string_agg(x.id || x.status, ',' ORDER BY x.id) FROM sandbox_jobs AS x WHERE x.job_id = job.id) AS executions
     FROM runner_jobs AS job WHERE job.id = ANY ($1::uuid[]) ORDER BY job.id`,
    [ids],
  );
}
