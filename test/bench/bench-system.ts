import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { migrate, startEmbeddedPostgres, withOwner, type EmbeddedPostgres } from '#database';
import { ensureDefaultWorkspace } from '#identity';
import { migrateQueueSchema } from '#queue';
import { startRedis, type RedisServer } from '#testing';

export type Backend = 'redis' | 'postgres';

/** The product as it is installed: a durable PostgreSQL, one API process, one worker process, and Redis where it is the queue. */
export interface BenchSystem {
  backend: Backend;
  url: string;
  workspaceId: string;
  apiKey: string;
  /** By name, for figures per process. */
  pids: Record<string, number>;
  redis: RedisServer | undefined;
  /** As the API's role. */
  apiDatabaseUrl: string;
  /** As the owner of the database. */
  sql<Row extends object>(text: string): Promise<Row[]>;
  stop(): Promise<void>;
}

export async function startBenchSystem(backend: Backend, environment: Record<string, string>): Promise<BenchSystem> {
  const dataDir = await mkdtemp(join(tmpdir(), 'runledger-bench-'));
  const postgres = await startMeasuredPostgres(dataDir);
  const redis = backend === 'redis' ? await startRedis() : undefined;
  await migrate(postgres.ownerUrl);
  await migrateQueueSchema(postgres.ownerUrl);
  const { id: workspaceId, apiKey } = await ensureDefaultWorkspace(postgres.ownerUrl);
  const shared = {
    ...inherited(),
    DATA_DIR: dataDir,
    SANDBOX: 'process',
    LOG_LEVEL: 'error',
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    ...environment,
  };
  const api = await startProcess('api', [], { ...shared, DATABASE_URL: postgres.apiUrl, PORT: '0' });
  const worker = await startProcess('worker', ['--queues', 'runner'], { ...shared, DATABASE_URL: postgres.workerUrl });
  return {
    ...{ backend, url: String(api.ready['url']), workspaceId, apiKey: apiKey ?? '', redis },
    apiDatabaseUrl: postgres.apiUrl,
    pids: {
      api: api.pid,
      worker: worker.pid,
      postgres: postgres.pid,
      ...(redis === undefined ? {} : { redis: redis.pid }),
    },
    sql: async <Row extends object>(text: string) =>
      withOwner(postgres.ownerUrl, async (client) => (await client.query(text)).rows as Row[]),
    stop: async () => {
      await Promise.all([api.stop(), worker.stop()]);
      await redis?.stop();
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The embedded server with its default settings, and with the extension that counts statements. */
export async function startMeasuredPostgres(dataDir: string): Promise<EmbeddedPostgres> {
  const plain = await startEmbeddedPostgres({ dataDir });
  await withOwner(plain.ownerUrl, (client) =>
    client.query(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`),
  );
  await plain.stop();
  const measured = await startEmbeddedPostgres({ dataDir });
  await withOwner(measured.ownerUrl, (client) => client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements'));
  return measured;
}

function inherited(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };
}

interface StartedProcess {
  pid: number;
  ready: Record<string, unknown>;
  stop(): Promise<void>;
}

async function startProcess(app: string, args: string[], env: Record<string, string>): Promise<StartedProcess> {
  const child = spawn(process.execPath, [`dist/apps/${app}/src/main.js`, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await readyLine(child);
  return {
    pid: child.pid ?? 0,
    ready,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Both processes say on stdout, in one JSON line, that they serve. */
async function readyLine(child: ChildProcess): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new Error('no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const parsed = JSON.parse(line) as Record<string, unknown>;
    if (parsed['ready'] === true) return parsed;
  }
  throw new Error('a process ended before it was ready');
}
