import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { migrate, startEmbeddedPostgres } from '#database';
import { FOLDER_PREFIX, type ClusterUrls } from './postgres-cluster.js';

/** A durable PostgreSQL server of a suite's own, which it may crash; our tables are in it, the queue's are not. */
export interface OwnPostgres extends ClusterUrls {
  /** Immediate shutdown: no checkpoint, every connection broken in the middle. Resolves when the server is gone. */
  crash(): Promise<void>;
  /** Brings it back on the same port; it replays its log. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  process.once('exit', remove);
  const start = () => startEmbeddedPostgres({ dataDir: folder, maxConnections: 300 });
  let server = await start();
  const { ownerUrl, apiUrl, workerUrl } = server;
  const stop = async (): Promise<void> => {
    await server.stop();
    remove();
    process.off('exit', remove);
  };
  try {
    await migrate(ownerUrl, { eventPartitionMonths: 1 });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ ownerUrl, apiUrl, workerUrl, stop },
    crash: async () => {
      process.kill(server.pid, 'SIGQUIT');
      while (isRunning(server.pid)) await delay(10);
    },
    restart: async () => {
      // Of the one that has crashed only its claim on the folder is left.
      await server.stop();
      server = await start();
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
