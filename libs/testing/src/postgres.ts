import { randomBytes } from 'node:crypto';
import { withOwner } from '#database';
import { CLUSTER_VARIABLE, TEMPLATE, withDatabase, type ClusterUrls } from './postgres-cluster.js';

/** A database of its own for one suite. */
export interface TestDatabase extends ClusterUrls {
  name: string;
  /** Drops the database, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * A new database on the server of this test run, cloned from the migrated template in some ten milliseconds.
 * @param options.empty true: nothing in it, for tests that migrate themselves
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const cluster = testCluster();
  const admin = withDatabase(cluster.ownerUrl, 'postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = options.empty === true ? 'template0' : TEMPLATE;
  await withOwner(admin, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`));
  return {
    name,
    ownerUrl: withDatabase(cluster.ownerUrl, name),
    apiUrl: withDatabase(cluster.apiUrl, name),
    workerUrl: withDatabase(cluster.workerUrl, name),
    drop: async () =>
      void (await withOwner(admin, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  };
}

/** The server that the run's global setup has started. */
function testCluster(): ClusterUrls {
  const urls = process.env[CLUSTER_VARIABLE];
  if (urls === undefined)
    throw new Error('no PostgreSQL server in this test run: only the projects "medium" and "e2e" start one');
  return JSON.parse(urls) as ClusterUrls;
}
