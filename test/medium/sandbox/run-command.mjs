/** A worker as far as a command can tell: runs one script, and is to be killed. Arguments: driver, workdir, scratch folder, mark, script, options of the driver. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from '../../bundle.mjs';

const [driver, workdir, scratchFolder, mark, script, options = '{}'] = process.argv.slice(2);
const CACHE = join(dirname(fileURLToPath(import.meta.url)), '../../../node_modules/.cache');
mkdirSync(CACHE, { recursive: true });
const folder = mkdtempSync(join(CACHE, 'runledger-'));
const file = await bundle('libs/sandbox/src/index.ts', join(folder, 'sandbox.mjs'));
const { createSandboxDriver } = await import(pathToFileURL(file).href);
rmSync(folder, { recursive: true });

const MIB = 1024 * 1024;
const limits = { timeoutMs: 60_000, memoryBytes: 512 * MIB, processes: 50, fileSizeBytes: MIB, diskBytes: 64 * MIB };
const command = { script, workdir, env: { TEST_MARK: mark }, readOnlyPaths: [], graceMs: 500, limits };
await createSandboxDriver(driver, { ...JSON.parse(options), scratchFolder }).run(
  command,
  () => undefined,
  new AbortController().signal,
);
