import { PHASES } from './phases.js';
import type { BenchSystem } from './bench-system.js';
import { call, streamToEnd } from './http.js';
import { cpuSeconds, peakRssMiB } from './process-usage.js';

/** Four steps that cost nothing but the engine: one gate a phase. */
export const JOB = {
  name: 'bench',
  steps: PHASES.map((phase) => ({ key: phase.toLowerCase(), phase, type: 'GATE', condition: 'true' })),
};

const SUBMITTERS = 32;
/** Not counted: the first ones find cold code and cold plans. */
const LONE_WARM_UP = 150;
const LONE_JOBS = 200;

/** The figures of one queue backend under jobs that do nothing. */
export interface JobFigures {
  backend: string;
  jobs: number;
  jobsPerSecond: number;
  submitPerSecond: number;
  latencyP50Ms: number;
  latencyP99Ms: number;
  eventsPerSecond: number;
  verifiedJobs: number;
  statementsPerJob: number;
  cpuSeconds: Record<string, number>;
  peakRssMiB: Record<string, number>;
}

export async function measureJobs(system: BenchSystem, jobs: number): Promise<JobFigures> {
  await submitMany(system, 200);
  await allOver(system);
  const latencies = await loneLatencies(system);

  const before = await counters(system);
  const cpuBefore = eachProcess(system, cpuSeconds);
  const startedAt = performance.now();
  const ids = await submitMany(system, jobs);
  const submittedAt = performance.now();
  await allOver(system);
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await counters(system);
  const cpu = eachProcess(system, cpuSeconds);

  return {
    backend: system.backend,
    jobs,
    jobsPerSecond: round(jobs / seconds),
    submitPerSecond: round(jobs / ((submittedAt - startedAt) / 1_000)),
    latencyP50Ms: percentile(latencies, 50),
    latencyP99Ms: percentile(latencies, 99),
    eventsPerSecond: round((after.events - before.events) / seconds),
    verifiedJobs: await verified(system, ids),
    statementsPerJob: round((after.statements - before.statements) / jobs),
    cpuSeconds: Object.fromEntries(
      Object.entries(cpu).map(([name, used]) => [name, round(used - (cpuBefore[name] ?? 0))]),
    ),
    peakRssMiB: eachProcess(system, peakRssMiB),
  };
}

/** From the request to the end of the event stream, one job at a time. */
async function loneLatencies(system: BenchSystem): Promise<number[]> {
  const latencies: number[] = [];
  for (let job = 0; job < LONE_WARM_UP + LONE_JOBS; job += 1) {
    const startedAt = performance.now();
    const { id } = await call<{ id: string }>(system, 'POST', '/runner-jobs', JOB);
    await streamToEnd(system, id);
    latencies.push(performance.now() - startedAt);
  }
  return latencies.slice(LONE_WARM_UP);
}

async function submitMany(system: BenchSystem, jobs: number): Promise<string[]> {
  const ids: string[] = [];
  let left = jobs;
  const submit = async (): Promise<void> => {
    while (left-- > 0) ids.push((await call<{ id: string }>(system, 'POST', '/runner-jobs', JOB)).id);
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submit));
  return ids;
}

export async function allOver(system: BenchSystem): Promise<void> {
  for (;;) {
    const [row] = await system.sql<{ open: boolean }>(
      `SELECT EXISTS (SELECT FROM runner_jobs WHERE status IN ('PENDING', 'QUEUED', 'RUNNING')) AS open`,
    );
    if (row?.open === false) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function verified(system: BenchSystem, ids: string[]): Promise<number> {
  let valid = 0;
  const waiting = [...ids];
  const verify = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const report = await call<{ valid: boolean; fold: { matches: boolean } }>(
        system,
        'GET',
        `/runner-jobs/${id}/verify`,
      );
      if (report.valid && report.fold.matches) valid += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, verify));
  return valid;
}

async function counters(system: BenchSystem): Promise<{ events: number; statements: number }> {
  const [row] = await system.sql<{ events: number; statements: number }>(
    `SELECT (SELECT count(*)::int FROM job_events) AS events, (SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements WHERE userid <> current_user::regrole) AS statements`,
  );
  return row ?? { events: 0, statements: 0 };
}

function eachProcess(system: BenchSystem, figure: (pid: number) => number): Record<string, number> {
  return Object.fromEntries(Object.entries(system.pids).map(([name, pid]) => [name, figure(pid)]));
}

export function percentile(values: number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return round(sorted[Math.min(sorted.length - 1, Math.floor((percent / 100) * sorted.length))] ?? 0);
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
