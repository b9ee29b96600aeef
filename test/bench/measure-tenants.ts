import { Database } from '#database';
import { newId } from '#kernel';
import { parseJobDefinition, SubmitJob } from '#runner';
import type { BenchSystem } from './bench-system.js';
import { allOver, JOB, percentile, round } from './measure-jobs.js';

/** One statement inserts so many. */
const BATCH = 200;
const SUBMITTERS = 4;

/** Throughput when the jobs belong to many workspaces. */
export interface TenantFigures {
  backend: string;
  workspaces: number;
  jobs: number;
  jobsPerSecond: number;
}

/** How long another workspace's single job waits beside a crowd, measured in the crowd's jobs. */
export interface FairnessFigures {
  backend: string;
  crowdJobs: number;
  concurrency: number;
  jobLengthMs: number;
  /** From submission to start. */
  singleDelayP50Ms: number;
  singleDelayMaxMs: number;
  delayP50InJobLengths: number;
  delayMaxInJobLengths: number;
}

export async function measureTenants(system: BenchSystem, jobs: number, workspaces: number): Promise<TenantFigures> {
  const ids = await addWorkspaces(system, workspaces);
  const startedAt = performance.now();
  await submitTo(system, ids, JOB, Math.ceil(jobs / workspaces));
  await allOver(system);
  const seconds = (performance.now() - startedAt) / 1_000;
  const submitted = Math.ceil(jobs / workspaces) * workspaces;
  return { backend: system.backend, workspaces, jobs: submitted, jobsPerSecond: round(submitted / seconds) };
}

const SINGLES = 7;

/** Leaves the crowd behind: the system is to be stopped after it. */
export async function measureFairness(
  system: BenchSystem,
  crowdJobs: number,
  concurrency: number,
): Promise<FairnessFigures> {
  const [crowd = '', single = ''] = await addWorkspaces(system, 2);
  const command = { name: 'crowd', steps: [{ key: 'work', type: 'COMMAND', run: 'sleep 0.5' }] };
  await submitTo(system, [crowd], command, crowdJobs);
  await waitFor(
    system,
    `SELECT count(*) > ${4 * concurrency} AS done FROM runner_jobs WHERE completed_at IS NOT NULL AND workspace_id = '${crowd}'`,
  );
  for (let turn = 1; turn <= SINGLES; turn += 1) {
    await submitTo(system, [single], JOB, 1);
    await waitFor(
      system,
      `SELECT count(*) = ${turn} AS done FROM runner_jobs WHERE completed_at IS NOT NULL AND workspace_id = '${single}'`,
    );
  }
  const delays = await lengths(
    system,
    `SELECT started_at - created_at AS length FROM runner_jobs WHERE workspace_id = '${single}'`,
  );
  const jobLengths = await lengths(
    system,
    `SELECT completed_at - started_at AS length FROM runner_jobs WHERE workspace_id = '${crowd}' AND completed_at IS NOT NULL`,
  );
  const jobLengthMs = percentile(jobLengths, 50);
  const [p50, most] = [percentile(delays, 50), Math.max(...delays)];
  return {
    ...{ backend: system.backend, crowdJobs, concurrency, jobLengthMs },
    ...{ singleDelayP50Ms: p50, singleDelayMaxMs: round(most) },
    ...{ delayP50InJobLengths: round(p50 / jobLengthMs), delayMaxInJobLengths: round(most / jobLengthMs) },
  };
}

async function addWorkspaces(system: BenchSystem, count: number): Promise<string[]> {
  const rows = await system.sql<{ id: string }>(
    `INSERT INTO workspaces (id, name, slug) SELECT gen_random_uuid(), 'bench', 'bench-' || gen_random_uuid() FROM generate_series(1, ${count}) RETURNING id`,
  );
  return rows.map(({ id }) => id);
}

async function submitTo(system: BenchSystem, workspaces: string[], definition: object, each: number): Promise<void> {
  const database = new Database({ url: system.apiDatabaseUrl, role: 'api', poolSize: SUBMITTERS });
  const submitJob = new SubmitJob(database);
  const parsed = parseJobDefinition(definition);
  const left = workspaces.flatMap((id) => batches(each).map((size) => ({ id, size })));
  const submit = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const definitions = Array.from({ length: next.size }, () => parsed);
      await submitJob.submitAll(next.id, { type: 'system', id: newId() }, definitions);
    }
  };
  try {
    await Promise.all(Array.from({ length: SUBMITTERS }, submit));
  } finally {
    await database.close();
  }
}

function batches(count: number): number[] {
  return Array.from({ length: Math.ceil(count / BATCH) }, (_, index) => Math.min(BATCH, count - index * BATCH));
}

async function lengths(system: BenchSystem, query: string): Promise<number[]> {
  const rows = await system.sql<{ ms: number }>(
    `SELECT (extract(epoch FROM length) * 1000)::float8 AS ms FROM (${query}) AS times`,
  );
  return rows.map(({ ms }) => ms);
}

async function waitFor(system: BenchSystem, query: string): Promise<void> {
  while ((await system.sql<{ done: boolean }>(query))[0]?.done !== true)
    await new Promise((resolve) => setTimeout(resolve, 10));
}
