/** Starts the embedded server in the folder that is given, says where it is, and waits to be ended. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from '../../bundle.mjs';

const folder = mkdtempSync(join(import.meta.dirname, '../../../node_modules/.cache/'));
const file = await bundle('libs/database/src/embedded-postgres.ts', join(folder, 'embedded.mjs'));
const { startEmbeddedPostgres } = await import(pathToFileURL(file).href);
rmSync(folder, { recursive: true });

const server = await startEmbeddedPostgres({ dataDir: process.argv[2] });
process.on('SIGTERM', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ pid: server.pid, ownerUrl: server.ownerUrl })}\n`);
setInterval(() => undefined, 60_000);
