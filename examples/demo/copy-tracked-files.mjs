/**
 * Copies the tracked files of a git checkout, as they are on disk at this moment (changes that are not committed included).
 * Usage: node copy-tracked-files.mjs CHECKOUT TARGET
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [checkout, target] = process.argv.slice(2);

// In a sandbox the files belong to somebody else than the one who reads them, at which git hesitates.
const git = spawnSync('git', ['-c', 'safe.directory=*', '-C', checkout, 'ls-files', '-z', '--cached'], {
  maxBuffer: 1 << 28,
});
if (git.status !== 0) {
  console.error(git.error?.message ?? git.stderr.toString().trim());
  process.exit(1);
}

let copied = 0;
let bytes = 0;
let missing = 0;
for (const path of git.stdout.toString().split('\0').filter(Boolean)) {
  const from = join(checkout, path);
  const to = join(target, path);
  const info = lstatSync(from, { throwIfNoEntry: false });
  // Tracked, and removed on disk; or a submodule, which has files of its own.
  if (info === undefined || info.isDirectory()) {
    missing += 1;
    continue;
  }
  mkdirSync(dirname(to), { recursive: true });
  if (info.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
  copied += 1;
  bytes += info.size;
}

console.log(`${copied} tracked files, ${(bytes / 1e6).toFixed(2)} MB${missing > 0 ? ` (${missing} not on disk)` : ''}`);
appendFileSync(process.env.RUNLEDGER_OUTPUT, `copied=${copied}\nbytes=${bytes}\n`);
