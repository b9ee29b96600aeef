import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { messageOf } from '#kernel';
import { isolationArguments, systemMounts } from './bubblewrap-mounts.js';
import { seccompFilter } from './seccomp-filter.js';

const run = promisify(execFile);

const LIKELY_PATHS = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap', '/run/current-system/sw/bin/bwrap'];
const PROBE = { env: {}, timeout: 10_000, killSignal: 'SIGKILL' as const };
const PROBE_FOLDER_BYTES = 1024 * 1024;

const WITHOUT_IT = 'or, to run commands without isolation, set SANDBOX=process';

/** A bubblewrap that works here, or why there is none. */
export type Bubblewrap =
  | {
      path: string;
      /** The options that it knows. */
      features: ReadonlySet<string>;
      /** The filter of system calls; null where this kernel, this bubblewrap or this machine can have none. */
      seccomp: Buffer | null;
    }
  | { reason: string };

/** Looks for bubblewrap and has it set up a real sandbox once. */
export async function probeBubblewrap(givenPath?: string): Promise<Bubblewrap> {
  const path = givenPath ?? LIKELY_PATHS.find((candidate) => existsSync(candidate));
  if (process.platform !== 'linux') return { reason: `bubblewrap needs Linux; run the worker there ${WITHOUT_IT}` };
  if (path === undefined || !existsSync(path)) {
    return {
      reason: `bubblewrap (${givenPath ?? 'bwrap'}) is not installed; install it (apt-get install bubblewrap) ${WITHOUT_IT}`,
    };
  }
  try {
    const { stdout } = await run(path, ['--help'], PROBE);
    const features = new Set(stdout.match(/--[a-z0-9-]+/g) ?? []);
    const filter = features.has('--seccomp') ? seccompFilter(process.arch) : null;
    if (filter !== null && (await setUp(path, features, filter).catch(() => false)))
      return { path, features, seccomp: filter };
    await setUp(path, features, null);
    return { path, features, seccomp: null };
  } catch (error) {
    const detail = messageOf(error).trim().split('\n').at(-1) ?? '';
    return {
      reason: `bubblewrap cannot set up a sandbox here (${detail}); allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns, or the container's seccomp profile) ${WITHOUT_IT}`,
    };
  }
}

/** @throws what bubblewrap has to say when it cannot */
async function setUp(path: string, features: ReadonlySet<string>, seccomp: Buffer | null): Promise<true> {
  const folders = { tmpBytes: PROBE_FOLDER_BYTES, shmBytes: PROBE_FOLDER_BYTES };
  const isolation = [...isolationArguments(features, 'none'), ...systemMounts(features, folders, 'none')];
  const filtered = seccomp === null ? [] : ['--seccomp', '0'];
  const running = run(path, [...isolation, ...filtered, '--', '/bin/sh', '-c', ':'], PROBE);
  const input = running.child.stdin;
  if (input instanceof Writable) {
    // It may end before it has read.
    input.on('error', () => undefined);
    input.end(seccomp ?? '');
  }
  await running;
  return true;
}
