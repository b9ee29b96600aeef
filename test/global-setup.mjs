/** Starts the PostgreSQL server of a test run, before the first test file and outside of Jest's module system. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from './bundle.mjs';

const CACHE = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules/.cache');

export default async function globalSetup() {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'runledger-'));
  try {
    const file = await bundle('libs/testing/src/postgres-cluster.ts', join(folder, 'postgres-cluster.mjs'));
    const { startTestCluster } = await import(pathToFileURL(file).href);
    globalThis.stopTestCluster = await startTestCluster();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
