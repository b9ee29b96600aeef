/**
 * Generates the Prisma client, offline: Prisma's CLI wants to download a native schema engine that generation never runs,
 * so it is pointed at a file that exists. Does nothing when the client is newer than the schema.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const schema = join(root, 'prisma/schema');
const client = join(root, 'libs/database/src/generated/prisma/client.ts');

const modifiedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newest = Math.max(
  ...readdirSync(schema).map((name) => modifiedAt(join(schema, name))),
  modifiedAt(join(root, 'node_modules/prisma/package.json')),
);

if (process.argv.includes('--force') || modifiedAt(client) < newest) {
  const result = spawnSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate', '--no-hints'], {
    cwd: root,
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    process.exit(1);
  }
}
