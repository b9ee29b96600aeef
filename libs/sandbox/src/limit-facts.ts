import type { SandboxLimits, SandboxResult } from './driver.js';
import type { CgroupLimits, RunCgroup } from './run-cgroup.js';
import { taskLimit, type ShellBounds } from './shell-script.js';

/** Room for what stands around the command inside of its control group: bubblewrap's two processes and the supervising shell. */
const SUPERVISORS_BYTES = 16 * 1024 * 1024;

/** The bounds that the kernel is to hold for the whole tree. */
export function cgroupLimits(limits: SandboxLimits): CgroupLimits {
  return { tasks: taskLimit(limits.processes), memoryBytes: limits.memoryBytes + SUPERVISORS_BYTES };
}

/** Which limit holds by which means, in few words, for the record of a run. */
export function limitFacts(cgroup: RunCgroup | null, bounds: ShellBounds): SandboxResult['facts'] {
  const group = (part: { version: number } | null | undefined): string | null =>
    part ? `cgroup-v${part.version}` : null;
  return {
    memory: group(cgroup?.memory) ?? (bounds.memory ? 'rlimit+watch' : 'watch'),
    processes: group(cgroup?.processes) ?? (bounds.processes ? 'rlimit+watch' : 'watch'),
    fileSize: 'rlimit',
    disk: 'watch',
  };
}
