/**
 * Starts the PostgreSQL server of a test run. Jest runs this file outside of its module system, so the TypeScript behind it is
 * bundled here (60 ms); nothing needs to have been built before.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LIBS = ['kernel', 'config', 'database', 'queue', 'ledger', 'runner', 'sandbox', 'artifacts', 'identity', 'client', 'testing'];

export default async function globalSetup() {
  const bundle = join(root, 'node_modules/.cache/runledger', `test-cluster-${process.pid}.mjs`);
  mkdirSync(dirname(bundle), { recursive: true });
  await build({
    entryPoints: [join(root, 'libs/testing/src/postgres-cluster.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    alias: Object.fromEntries(LIBS.map((lib) => [`#${lib}`, join(root, `libs/${lib}/src/index.ts`)])),
    logLevel: 'warning',
  });
  const { startTestCluster } = await import(pathToFileURL(bundle).href);
  globalThis.stopTestCluster = await startTestCluster();
}
