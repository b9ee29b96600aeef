import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { messageOf } from '#kernel';
import { isolationArguments, systemMounts } from './bubblewrap-mounts.js';

const run = promisify(execFile);

const LIKELY_PATHS = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap', '/run/current-system/sw/bin/bwrap'];
const PROBE_TIMEOUT_MS = 10_000;

const WITHOUT_IT = 'or, to run commands without isolation, set SANDBOX=process';

/** A bubblewrap that works here, or why there is none. */
export type Bubblewrap = { path: string; features: ReadonlySet<string> } | { reason: string };

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
    const options = { env: {}, timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' as const };
    const { stdout } = await run(path, ['--help'], options);
    const features = new Set(stdout.match(/--[a-z0-9-]+/g) ?? []);
    await run(
      path,
      [...isolationArguments(features), ...systemMounts(features, 1024 * 1024), '--', '/bin/sh', '-c', ':'],
      options,
    );
    return { path, features };
  } catch (error) {
    const detail = messageOf(error).trim().split('\n').at(-1) ?? '';
    return {
      reason: `bubblewrap cannot set up a sandbox here (${detail}); allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns, or the container's seccomp profile) ${WITHOUT_IT}`,
    };
  }
}
