/**
 * Makes a checkout ready to run: the locked dependencies installed, the Prisma client generated, the sources compiled.
 * Plain Node without dependencies, because it runs before any is there. Each step is skipped when there is nothing to do.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'dist/.built');

/** Everything, in order. Ends the process with a clear message when a step fails. */
export function ensureReady() {
  requireNode();
  ensureInstalled();
  ensureBuilt();
}

/** Says which Node is needed, instead of a syntax error from somewhere inside. */
export function requireNode() {
  const { engines } = readJson(join(root, 'package.json'));
  const needed = engines.node
    .match(/(\d+)\.(\d+)/)
    .slice(1)
    .map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return;
  fail(
    `Runledger needs Node.js ${needed.join('.')} or newer; this is ${process.versions.node}. See https://nodejs.org/en/download`,
  );
}

/** Runs `npm ci` when what is installed is not what the lockfile says. */
export function ensureInstalled() {
  if (isInstalled()) return;
  const command = ['ci', '--loglevel=error', '--no-audit', '--no-fund'];
  progress('Installing the locked dependencies (npm ci) ...', () => {
    // Windows has npm as a .cmd file, which only a shell starts.
    const result = spawnSync('npm', command, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
    if (result.status !== 0)
      fail(
        `npm ${command.join(' ')} failed:\n${result.error?.message ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}`,
      );
  });
}

/** Compares contents, not times: a lockfile is rewritten by git without having changed. */
function isInstalled() {
  const installed = readJson(join(root, 'node_modules/.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  const locked = readJson(join(root, 'package-lock.json')).packages;
  // Optional packages are those of other platforms.
  return Object.entries(locked).every(
    ([path, { version, optional }]) =>
      path === '' || installed[path]?.version === version || (optional && installed[path] === undefined),
  );
}

/** Generates and compiles when a source is newer than the last build. */
export function ensureBuilt() {
  const builtAt = modifiedAt(stamp);
  const sources = ['apps', 'libs', 'prisma/schema', '.swcrc', 'package.json'].map((path) => join(root, path));
  if (builtAt > 0 && sources.every((path) => newestUnder(path) <= builtAt)) return;
  progress('Building ...', build);
}

/** Generates the Prisma client and compiles `apps` and `libs` to `dist`. */
export function build() {
  const startedAt = Date.now();
  node('scripts/generate.mjs');
  node('node_modules/@swc/cli/bin/swc.js', 'apps', 'libs', '-d', 'dist', '--quiet');
  for (const folder of ['apps', 'libs']) removeOlder(join(root, 'dist', folder), startedAt);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, '');
}

/** Puts `runledger` where `npx` looks: npm links the commands of dependencies, not those of the project itself. */
export function linkCommand() {
  const folder = join(root, 'node_modules/.bin');
  if (!existsSync(folder) || process.platform === 'win32') return;
  chmodSync(join(root, 'bin/runledger.mjs'), 0o755);
  rmSync(join(folder, 'runledger'), { force: true });
  symlinkSync('../../bin/runledger.mjs', join(folder, 'runledger'));
}

export function fail(message) {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exit(1);
}

function node(...args) {
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) fail(`node ${args.join(' ')} failed:\n${result.stdout ?? ''}${result.stderr ?? ''}`);
}

/** On standard error: standard output belongs to the command that runs afterwards. */
function progress(text, action) {
  const startedAt = Date.now();
  process.stderr.write(text);
  action();
  process.stderr.write(` ${((Date.now() - startedAt) / 1_000).toFixed(1)} s\n`);
}

/** Folders count too: their time changes when a file in them is removed. */
function newestUnder(path) {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  const inside = readdirSync(path)
    .filter((name) => name !== 'generated' && !name.endsWith('.spec.ts'))
    .map((name) => newestUnder(join(path, name)));
  return Math.max(info.mtimeMs, ...inside);
}

/** What a build did not write again has no source any more. A second of tolerance, for file systems with coarse times. */
function removeOlder(folder, time) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile() && modifiedAt(path) < time - 1_000) rmSync(path, { force: true });
  }
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
