import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate, startEmbeddedPostgres, withOwner } from '#database';

/** How the test files find the server that the run has started. */
export const CLUSTER_VARIABLE = 'RUNLEDGER_TEST_POSTGRES';
export const TEMPLATE = 'runledger_template';

/** The URLs of the template database; a test database differs in its name only. */
export interface ClusterUrls {
  ownerUrl: string;
  apiUrl: string;
  workerUrl: string;
}

/** Of every folder that holds a test's server, with the pid of its owner behind it: what a killed run left is found by it. */
export const FOLDER_PREFIX = 'runledger-test-postgres-';

/**
 * Starts the one PostgreSQL server of a test run in a temporary folder, makes the migrated template database, and tells the test
 * files by an environment variable. Nothing in it survives: it writes without fsync.
 * @returns stops the server and removes its folder
 */
export async function startTestCluster(): Promise<() => Promise<void>> {
  removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  // Also where the run is cut short (Ctrl-C, a crash of the test runner) and never comes to its teardown.
  process.once('exit', remove);
  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false, maxConnections: 200 });
  const stop = async (): Promise<void> => {
    await server.stop();
    remove();
    process.off('exit', remove);
  };
  try {
    await withOwner(server.ownerUrl, (client) => client.query(`CREATE DATABASE ${TEMPLATE}`));
    const urls: ClusterUrls = {
      ownerUrl: withDatabase(server.ownerUrl, TEMPLATE),
      apiUrl: withDatabase(server.apiUrl, TEMPLATE),
      workerUrl: withDatabase(server.workerUrl, TEMPLATE),
    };
    // One month ahead: each partition is a dozen files that every clone would copy.
    await migrate(urls.ownerUrl, { eventPartitionMonths: 1 });
    process.env[CLUSTER_VARIABLE] = JSON.stringify(urls);
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Folders of runs that were killed without warning, their servers included. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER_PREFIX))) {
    const owner = Number(name.slice(FOLDER_PREFIX.length).split('-')[0]);
    if (isRunning(owner)) continue;
    const folder = join(tmpdir(), name);
    try {
      const server = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
      const command = readFileSync(`/proc/${server}/cmdline`, 'utf8');
      if (command.includes(folder)) process.kill(server, 'SIGQUIT');
    } catch {
      // no server any more
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
