/** `npm run bench`: figures of the built product, one JSON line each. Arguments go to the benchmark (`npm run bench -- --help`). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureReady, fail, root } from './ensure.mjs';

ensureReady();
const built = spawnSync(process.execPath, ['node_modules/@swc/cli/bin/swc.js', 'test/bench', '-d', 'dist', '--quiet'], {
  cwd: root,
  encoding: 'utf8',
});
if (built.status !== 0) fail(`the benchmark could not be built:\n${built.stderr}`);
await import(pathToFileURL(join(root, 'dist/test/bench/main.js')).href);
