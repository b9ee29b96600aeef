import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { RunledgerClient, type JobEvent, type RunnerJob } from '#client';
import { createTestDatabase, startSystem, type TestDatabase, type TestSystem } from '#testing';
import { commandOf, processesOf } from '../processes.js';

/** A whole system in its own processes on a database of the test run's server, and a client of it. */
export interface SystemUnderTest extends TestSystem {
  client: RunledgerClient;
  /** The pid of the process that runs this app now. */
  pidOf(app: 'api' | 'worker'): number;
  /** Ends it and drops its database. */
  close(): Promise<void>;
}

/** @param through where the system believes its database to be; default: where it is */
export async function openSystem(
  env: Record<string, string>,
  through: (database: TestDatabase) => Promise<string> = ({ ownerUrl }) => Promise.resolve(ownerUrl),
): Promise<SystemUnderTest> {
  const database = await createTestDatabase();
  const system = await startSystem({
    env: { SANDBOX: 'process', SHUTDOWN_GRACE_MS: '1000', DATABASE_URL: await through(database), ...env },
  }).catch(async (error: unknown) => {
    await database.drop();
    throw error;
  });
  return {
    ...system,
    client: clientOf(system),
    pidOf: (app) => {
      const pids = processesOf(system.dataDir).filter((pid) => commandOf(pid).includes(`apps/${app}/`));
      if (pids.length !== 1) throw new Error(`there are ${pids.length} processes of the ${app}`);
      return pids[0] ?? 0;
    },
    close: async () => {
      await system.stop();
      await database.drop();
    },
  };
}

export function clientOf({ url, apiKey, workspaceId }: Pick<TestSystem, 'url' | 'apiKey' | 'workspaceId'>) {
  return new RunledgerClient({ baseUrl: url, apiKey, workspaceId });
}

/** Runs one of the programs of the build to its end. */
export async function runProgram(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, args, { env: { PATH, HOME, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** Asks again until there is an answer. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | null> | Answer | null,
  timeoutMs = 30_000,
): Promise<Answer> {
  for (const deadline = Date.now() + timeoutMs; ;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The job when it has ended; the server may be away in between. */
export function ended(client: RunledgerClient, jobId: string, timeoutMs = 40_000): Promise<RunnerJob> {
  return until(
    `the end of job ${jobId}`,
    async () => {
      const job = await client.getJob(jobId);
      return job.completedAt === null ? null : job;
    },
    timeoutMs,
  );
}

export async function eventsOf(client: RunledgerClient, jobId: string): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of client.events(jobId)) events.push(event);
  return events;
}

/** Every job is COMPLETED, its ledger verifies, its rows are the fold of its events, and no step was completed twice. */
export async function expectAllWhole(client: RunledgerClient, jobIds: string[]): Promise<RunnerJob[]> {
  const jobs: RunnerJob[] = [];
  // A few at a time: the machine has jobs to run.
  for (let at = 0; at < jobIds.length; at += 8)
    jobs.push(...(await Promise.all(jobIds.slice(at, at + 8).map((jobId) => expectWhole(client, jobId)))));
  return jobs;
}

async function expectWhole(client: RunledgerClient, jobId: string): Promise<RunnerJob> {
  const job = await ended(client, jobId);
  expect([job.status, job.error]).toEqual(['COMPLETED', null]);
  expect(await client.verify(jobId)).toMatchObject({
    valid: true,
    firstBad: null,
    head: job.head,
    fold: { matches: true, differences: [] },
  });
  const completed = (await eventsOf(client, jobId)).filter(({ type }) => type === 'step.completed');
  expect(completed.map(({ stepId }) => stepId).sort()).toEqual(job.steps.map(({ id }) => id).sort());
  return job;
}
