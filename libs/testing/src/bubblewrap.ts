import { spawnSync } from 'node:child_process';

let known: boolean | undefined;

/** True where `bwrap` is on the PATH and can set up a sandbox; in many containers it cannot. */
export function hasBubblewrap(): boolean {
  known ??= spawnSync('bwrap', ['--unshare-all', '--unshare-user', '--ro-bind', '/', '/', 'true']).status === 0;
  return known;
}
