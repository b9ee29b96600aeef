import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { LocalBlobStore } from '#artifacts';
import { loadConfig, type Config } from '#config';
import { Database, DatabaseModule, withOwner } from '#database';
import { newId } from '#kernel';
import { EventQueries, type LedgerEvent } from '#ledger';
import { migrateQueueSchema, QueueWorkers } from '#queue';
import { CancelJob, foldJob, JobQueries, parseJobDefinition, SubmitJob, type JobState, RetryJob } from '#runner';
import { createTestDatabase, type TestDatabase } from '#testing';
import { JobStore, type Lease } from '../../../libs/runner/src/store/job.store.js';
import { RunnerService } from '../../../apps/worker/src/runner.service.js';
import { WorkerModule } from '../../../apps/worker/src/worker.module.js';

/** A worker process's application inside the test, on a database of its own; and beside it what the API does to submit and read. */
export interface RunnerSystem {
  database: TestDatabase;
  workspaceId: string;
  dataDir: string;
  blobs: LocalBlobStore;
  submit(definition: unknown): Promise<string>;
  /** As the API does. @returns the job's status at that moment */
  cancel(jobId: string, reason?: string): Promise<string | undefined>;
  /** Waits until the job's row is in this state. */
  reached(jobId: string, condition: string): Promise<void>;
  /** Makes a retry of a job. @returns its id */
  retry(jobId: string, from?: string): Promise<string>;
  /** Waits for the job's end. */
  finished(jobId: string): Promise<Finished>;
  run(definition: unknown): Promise<Finished>;
  /** Starts a worker. One that does not serve its queue only admits and reconciles. */
  startWorker(options?: { serve?: boolean; env?: Record<string, string> }): Promise<RunningWorker>;
  /** The store of a worker that the test plays itself. */
  openStore(lease: Lease): { store: JobStore; close(): Promise<void> };
  /** As the owner of the database. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export interface RunningWorker {
  stop(graceMs?: number): Promise<void>;
}

export interface Finished {
  /** The rows. */
  job: NonNullable<Awaited<ReturnType<JobQueries['get']>>>;
  events: LedgerEvent[];
  /** What the events say the rows should be. */
  fold: JobState;
  types: string[];
  step(key: string): Finished['job']['steps'][number];
}

/** Who asks for cancellations. */
export const canceller = { type: 'api_key' as const, id: '0198f3c2-0000-7000-8000-00000000000c' };

export async function startRunnerSystem(environment: Record<string, string> = {}): Promise<RunnerSystem> {
  const database = await createTestDatabase();
  await migrateQueueSchema(database.ownerUrl);
  const dataDir = await mkdtemp(join(tmpdir(), 'runledger-runner-'));
  const configOf = (url: string, more: Record<string, string> = {}): Config =>
    loadConfig({
      DATABASE_URL: url,
      DATA_DIR: dataDir,
      SANDBOX: 'process',
      LOG_LEVEL: 'silent',
      RUNNER_RECONCILE_MS: '200',
      ...environment,
      ...more,
    });
  const api = await openApi(configOf(database.apiUrl));
  const workspaceId = await createWorkspace(database);
  const workers: RunningWorker[] = [];

  const startWorker = async ({ serve = true, env = {} } = {}): Promise<RunningWorker> => {
    const worker = await openWorker(configOf(database.workerUrl, env), serve);
    workers.push(worker);
    return worker;
  };
  const submit = async (definition: unknown): Promise<string> =>
    (await api.submitJob.submit(workspaceId, { type: 'api_key', id: newId() }, parseJobDefinition(definition))).state
      .id;
  const finished = async (jobId: string): Promise<Finished> => {
    const job = await until(async () => {
      const found = await api.jobs.get(workspaceId, jobId);
      return found !== null && found.completedAt !== null ? found : null;
    });
    return summarize(job, await api.events.page(workspaceId, jobId, 0, 5_000));
  };
  const sql: RunnerSystem['sql'] = async (statement, values) =>
    withOwner(database.ownerUrl, async (client) => (await client.query(statement, values)).rows);
  return {
    cancel: async (jobId, reason) =>
      (await api.cancelJob.cancel(workspaceId, jobId, canceller, reason ?? null))?.status,
    retry: async (jobId, from = 'failed-step') => {
      const retried = await api.retryJob.retry(workspaceId, canceller, jobId, from);
      if (retried === null) throw new Error(`there is no job ${jobId}`);
      return retried.state.id;
    },
    reached: async (jobId, condition) => {
      const text = `SELECT 1 FROM runner_jobs WHERE id = $1 AND (${condition})`;
      await until(async () => (await sql(text, [jobId]))[0] ?? null);
    },
    ...{
      database,
      workspaceId,
      dataDir,
      blobs: new LocalBlobStore(join(dataDir, 'blobs')),
      submit,
      finished,
      startWorker,
    },
    openStore: (lease) => {
      const opened = new Database({ url: database.workerUrl, role: 'worker', poolSize: 4 });
      return { store: new JobStore(opened, lease), close: () => opened.close() };
    },
    sql,
    run: async (definition) => finished(await submit(definition)),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)));
      await api.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function openApi(config: Config) {
  const app = await NestFactory.createApplicationContext(
    DatabaseModule.forRoot({ role: 'api', database: config.database }),
    { logger: false },
  );
  const database = app.get(Database);
  return {
    submitJob: new SubmitJob(database),
    retryJob: new RetryJob(database),
    cancelJob: new CancelJob(database),
    jobs: new JobQueries(database),
    events: new EventQueries(database),
    close: () => app.close(),
  };
}

async function openWorker(config: Config, serve: boolean): Promise<RunningWorker> {
  const app = await NestFactory.createApplicationContext(WorkerModule.forRoot(config, ['runner']), { logger: false });
  await app.get(RunnerService).start();
  if (serve) await app.get(QueueWorkers).start(['runner']);
  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number): Promise<void> => {
    const paused = app.get(QueueWorkers).pause();
    await app.get(RunnerService).stop(graceMs);
    await paused;
    await app.close();
  };
  return { stop: (graceMs = 0) => (stopped ??= stop(graceMs)) };
}

async function createWorkspace(database: TestDatabase): Promise<string> {
  const id = newId();
  const values = [id, 'Test', `test-${id}`];
  await withOwner(database.ownerUrl, (client) =>
    client.query('INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3)', values),
  );
  return id;
}

function summarize(job: Finished['job'], events: LedgerEvent[]): Finished {
  return {
    ...{ job, events, fold: foldJob(events), types: events.map((event) => event.type) },
    step: (key) => {
      const found = job.steps.find((step) => step.key === key);
      if (found === undefined) throw new Error(`no step ${key}`);
      return found;
    },
  };
}

/** Asks again until there is an answer. */
export async function until<Answer>(ask: () => Promise<Answer | null>, timeoutMs = 20_000): Promise<Answer> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`no answer within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
