import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupHost, type CgroupVersion } from './cgroup-host.js';
import { newCgroupName } from './run-tag.js';
import type { Launch } from './supervisor-process.js';

/** Enters the groups and becomes the given program, so that nothing of it was ever outside. */
const JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 126; shift; done; shift; exec "$@"';

/** What a group bounds for all processes of a run together. */
export interface CgroupLimits {
  /** The most threads and processes. */
  tasks: number;
  memoryBytes: number;
}

/**
 * The control groups of one run. The kernel refuses to fork beyond their bound, ends what occupies too much memory, and lists the
 * processes wherever they have gone. The only bounds that hold for root, and the only ones on a whole tree.
 */
export class RunCgroup {
  private constructor(
    /** Bounds and lists the processes; null where there is no `pids` controller to divide. */
    readonly processes: { folder: string; version: CgroupVersion } | null,
    /** Bounds the memory; null where there is no `memory` controller to divide. The same folder in version 2. */
    readonly memory: { folder: string; version: CgroupVersion } | null,
  ) {}

  /** @returns null when this host gives the worker no controller to divide */
  static create(limits: CgroupLimits): RunCgroup | null {
    const host = cgroupHost();
    const name = newCgroupName();
    const processes = make(host.pids, name, (folder) => writeFileSync(join(folder, 'pids.max'), String(limits.tasks)));
    const memory = make(host.memory, name, (folder, version) => boundMemory(folder, version, limits.memoryBytes));
    return processes === null && memory === null ? null : new RunCgroup(processes, memory);
  }

  get boundsMemory(): boolean {
    return this.memory !== null;
  }

  get boundsProcesses(): boolean {
    return this.processes !== null;
  }

  get folders(): string[] {
    return [...new Set([this.processes?.folder ?? [], this.memory?.folder ?? []].flat())];
  }

  /** The same launch, inside. */
  around(launch: Launch): Launch {
    return {
      ...launch,
      file: '/bin/sh',
      args: ['-c', JOIN, 'join', ...this.folders, '--', launch.file, ...launch.args],
    };
  }

  /** Exact at the moment of the call, and one small read for each folder. @throws when it cannot be read, which proves no absence */
  processIds(): number[] {
    const lines = this.folders.flatMap((folder) => readList(join(folder, 'cgroup.procs')).split('\n'));
    return [...new Set(lines.filter(Boolean).map(Number))];
  }

  /** No process in it can start another from now on. */
  forbidForks(): void {
    if (this.processes === null) return;
    try {
      writeFileSync(join(this.processes.folder, 'pids.max'), '0');
    } catch {
      // Gone already.
    }
  }

  /** True when the kernel has ended a process of the run because together they had reached the bound. */
  outOfMemory(): boolean {
    if (this.memory === null) return false;
    const events = this.memory.version === 2 ? 'memory.events' : 'memory.oom_control';
    return Number(/^oom_kill (\d+)$/m.exec(read(join(this.memory.folder, events)))?.[1] ?? 0) > 0;
  }

  /** The most that was in use at once, files that were read and could have been forgotten included; null where nobody counts. */
  peakMemoryBytes(): number | null {
    if (this.memory === null) return null;
    const peak = this.memory.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
    const bytes = Number.parseInt(read(join(this.memory.folder, peak)), 10);
    return Number.isNaN(bytes) ? null : bytes;
  }

  /** To be called when no process is left in it. */
  remove(): void {
    for (const folder of this.folders) {
      try {
        rmdirSync(folder);
      } catch {
        // A zombie that its new parent has not asked for yet keeps it; the next worker that starts removes it.
      }
    }
  }
}

function make(
  parent: { folder: string; version: CgroupVersion } | null,
  name: string,
  bound: (folder: string, version: CgroupVersion) => void,
): { folder: string; version: CgroupVersion } | null {
  if (parent === null) return null;
  const folder = join(parent.folder, name);
  try {
    // In version 2 one folder is both, and the second finds it made.
    mkdirSync(folder, { recursive: true });
    bound(folder, parent.version);
    return { folder, version: parent.version };
  } catch {
    return null;
  }
}

function boundMemory(folder: string, version: CgroupVersion, bytes: number): void {
  writeFileSync(join(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
  // What is swapped out is still occupied. A kernel that does not count it has no such file; version 1 wants the sum of both.
  const [swap, amount] = version === 2 ? ['memory.swap.max', 0] : ['memory.memsw.limit_in_bytes', bytes];
  try {
    writeFileSync(join(folder, swap), String(amount), { flag: 'r+' });
  } catch {
    // Then swap is not bounded.
  }
  // A tree that crosses its bound ends as a whole; version 1 ends one process, and the watch the rest.
  if (version === 2) writeFileSync(join(folder, 'memory.oom.group'), '1');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Like `read`, where only a group that is gone, and cannot hold a process, reads as empty. */
function readList(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENODEV') return '';
    throw error;
  }
}
