import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import request from 'supertest';
import { LocalBlobStore } from '#artifacts';
import { ProcessLog, loadConfig, type Config } from '#config';
import { Database, withOwner } from '#database';
import { ALL_SCOPES, createApiKey, createWorkspace, type Scope } from '#identity';
import { newId } from '#kernel';
import { migrateQueueSchema } from '#queue';
import { createTestDatabase, type TestDatabase } from '#testing';
import { createApp } from '../../../apps/api/src/create-app.js';
import { startWorker } from './worker.js';

/** A workspace with a key of its own. */
export interface Tenant {
  workspaceId: string;
  key: string;
  keyId: string;
  /** The path of the workspace's jobs. */
  jobs: string;
}

/** The API's application inside the test, listening on a free port, on a database of its own. */
export interface ApiSystem {
  app: NestFastifyApplication;
  url: string;
  database: TestDatabase;
  /** As a worker process sees the database: every tenant. */
  rows: Database;
  blobs: LocalBlobStore;
  dataDir: string;
  tenant(): Promise<Tenant>;
  keyWith(tenant: Tenant, scopes: Scope[], more?: { expiresAt?: Date }): Promise<string>;
  asOwner(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  http(): ReturnType<typeof request>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

/** @param through turns the database's URL into the one that the API is to use, such as that of a proxy */
export async function startApi(
  environment: Record<string, string> = {},
  through: (url: string) => Promise<string> = async (url) => url,
): Promise<ApiSystem> {
  const database = await createTestDatabase();
  await migrateQueueSchema(database.ownerUrl);
  const dataDir = await mkdtemp(join(tmpdir(), 'runledger-api-'));
  const configOf = (url: string): Config =>
    loadConfig({
      DATABASE_URL: url,
      DATA_DIR: dataDir,
      SANDBOX: 'process',
      LOG_LEVEL: 'silent',
      RUNNER_RECONCILE_MS: '200',
      ...environment,
    });
  const config = configOf(await through(database.apiUrl));
  const app = await createApp(config, new ProcessLog('api', config.log.level));
  await app.listen(0, '127.0.0.1');
  const rows = new Database({ url: database.workerUrl, role: 'worker', poolSize: 2 });
  const stops: (() => Promise<void>)[] = [];
  const asOwner = async (sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
    withOwner(database.ownerUrl, async (client) => (await client.query<Record<string, unknown>>(sql, values)).rows);
  const url = await app.getUrl();

  return {
    ...{ app, url, database, rows, asOwner, dataDir },
    blobs: new LocalBlobStore(join(dataDir, 'blobs')),
    tenant: () => newTenant(database),
    keyWith: async (tenant, scopes, more = {}) =>
      (
        await withOwner(database.ownerUrl, (client) =>
          createApiKey(client, { workspaceId: tenant.workspaceId, name: 'another key', scopes, ...more }),
        )
      ).secret,
    http: () => request(url),
    startWorker: async () => void stops.push(await startWorker(configOf(database.workerUrl))),
    close: async () => {
      await app.close();
      for (const stop of stops) await stop();
      await rows.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function newTenant(database: TestDatabase): Promise<Tenant> {
  const workspace = await createWorkspace(database.ownerUrl, { name: 'Test', slug: `test-${newId()}` });
  const key = await withOwner(database.ownerUrl, (client) =>
    createApiKey(client, { workspaceId: workspace.id, name: 'test key', scopes: ALL_SCOPES }),
  );
  return {
    workspaceId: workspace.id,
    key: key.secret,
    keyId: key.id,
    jobs: `/v1/workspaces/${workspace.id}/runner-jobs`,
  };
}

export const HELLO = {
  name: 'hello',
  steps: [
    { key: 'count', type: 'COMMAND', run: 'printf "héllo\\nwörld\\n"; echo "lines=2" >> "$RUNLEDGER_OUTPUT"' },
    { key: 'enough', phase: 'VALIDATION', type: 'GATE', condition: 'int(steps.count.outputs.lines) == 2' },
  ],
};

/** A job that no worker will touch. */
export async function submit(
  api: ApiSystem,
  tenant: Tenant,
  definition: object = HELLO,
): Promise<{ id: string; steps: { id: string; key: string }[] }> {
  const answer = await api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).send(definition);
  if (answer.status !== 201) throw new Error(`not accepted: ${answer.text}`);
  return answer.body as { id: string; steps: { id: string; key: string }[] };
}

/** Asks until the job is over. */
export async function finished(
  api: ApiSystem,
  tenant: Tenant,
  jobId: string,
): Promise<{ status: string; steps: { id: string; key: string }[] }> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    const { body } = await api.http().get(`${tenant.jobs}/${jobId}`).auth(tenant.key, { type: 'bearer' });
    if (body.completedAt !== null) return body;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`job ${jobId} did not end`);
}
