import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { RunledgerClient } from '#client';
import { ensureDefaultWorkspace } from '#identity';
import { migrateQueueSchema } from '#queue';
import { startApp, startOwnPostgres, startRedis, type AppProcess, type OwnPostgres, type RedisServer } from '#testing';

export type Backend = 'redis' | 'postgres';

/** Where a process believes its servers to be; default: where they are. */
export interface Route {
  databaseUrl?: string;
  redisUrl?: string;
}

/** One installation, part by part, so that each part can be killed, paused and cut off alone. */
export class FaultSystem {
  /** Of everything that runs now or ever ran here. */
  readonly apps: AppProcess[] = [];
  readonly marks: string;
  client: RunledgerClient;
  private apiPort = 0;
  private pool: pg.Pool;

  private constructor(
    readonly backend: Backend,
    readonly postgres: OwnPostgres,
    readonly redis: RedisServer | null,
    readonly dataDir: string,
    private readonly access: { workspaceId: string; apiKey: string },
  ) {
    this.marks = join(dataDir, 'marks');
    this.client = this.clientAt('http://127.0.0.1:1');
    this.pool = new pg.Pool({ connectionString: postgres.ownerUrl, max: 4 });
    // Servers are crashed here: a connection that breaks is replaced.
    this.pool.on('error', () => undefined);
  }

  /** Servers, tables and a key; no process of ours yet. */
  static async open(backend: Backend): Promise<FaultSystem> {
    const postgres = await startOwnPostgres();
    const redis = backend === 'redis' ? await startRedis() : null;
    await migrateQueueSchema(postgres.ownerUrl);
    const { id, apiKey } = await ensureDefaultWorkspace(postgres.ownerUrl);
    const dataDir = await mkdtemp(join(tmpdir(), 'runledger-fault-'));
    return new FaultSystem(backend, postgres, redis, dataDir, { workspaceId: id, apiKey: apiKey ?? '' });
  }

  /** The address of the first API stays that of its successors, and `client` talks to it. */
  async startApi(route: Route = {}): Promise<AppProcess> {
    const api = await startApp('api', [], {
      ...this.environment(route, this.postgres.apiUrl),
      PORT: String(this.apiPort),
    });
    const url = String(api.ready['url']);
    this.apiPort = Number(new URL(url).port);
    this.client = this.clientAt(url);
    this.apps.push(api);
    return api;
  }

  async startWorker(settings: Record<string, string> = {}, route: Route = {}): Promise<AppProcess> {
    const worker = await startApp('worker', ['--queues', 'runner'], {
      ...this.environment(route, this.postgres.workerUrl),
      ...settings,
    });
    this.apps.push(worker);
    return worker;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  /** Submits through the API, several requests at a time. @returns the ids that were accepted */
  async submit(definitions: object[]): Promise<string[]> {
    const ids: string[] = [];
    for (let at = 0; at < definitions.length; at += 20)
      ids.push(
        ...(await Promise.all(definitions.slice(at, at + 20).map((one) => this.client.submit(one)))).map(
          ({ id }) => id,
        ),
      );
    return ids;
  }

  /** As the owner of the database. */
  async sql<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, values)).rows;
  }

  /** Ends the workers that are left, so that the next fault begins without them. */
  async stopWorkers(): Promise<void> {
    const workers = this.apps.filter((app) => app.alive && app.ready['url'] === undefined);
    await Promise.all(workers.map((worker) => worker.stop()));
  }

  async close(): Promise<void> {
    await Promise.all(this.apps.filter((app) => app.alive).map((app) => app.stop()));
    await this.pool.end();
    await this.redis?.stop();
    await this.postgres.stop();
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  private environment({ databaseUrl, redisUrl }: Route, ownDatabaseUrl: string): Record<string, string> {
    return {
      DATABASE_URL: databaseUrl ?? ownDatabaseUrl,
      DATA_DIR: this.dataDir,
      SANDBOX: 'process',
      LOG_LEVEL: 'warn',
      SHUTDOWN_GRACE_MS: '500',
      ...(this.redis === null ? {} : { REDIS_URL: redisUrl ?? this.redis.url }),
    };
  }

  private clientAt(baseUrl: string): RunledgerClient {
    return new RunledgerClient({ baseUrl, ...this.access });
  }
}
