import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from './supervisor-process.js';

/** Enters the cgroup and becomes the given program, so that nothing of it was ever outside. */
const JOIN = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"';

/**
 * A control group of one run: the kernel refuses to fork beyond its bound, and it lists its processes wherever they have gone. The only
 * bound on processes that holds for root, whom RLIMIT_NPROC does not count.
 */
export class ProcessCgroup {
  private constructor(readonly folder: string) {}

  /**
   * @param maxTasks the most threads and processes
   * @returns null when this host gives the worker no `pids` controller to divide
   */
  static create(name: string, maxTasks: number): ProcessCgroup | null {
    const parent = findParent();
    if (parent === null) return null;
    const folder = join(parent, name);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pids.max'), String(maxTasks));
      return new ProcessCgroup(folder);
    } catch {
      return null;
    }
  }

  /** The same launch, inside. */
  around(launch: Launch): Launch {
    return { ...launch, file: '/bin/sh', args: ['-c', JOIN, 'join', this.folder, launch.file, ...launch.args] };
  }

  processIds(): number[] {
    try {
      return readFileSync(join(this.folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }

  /** No process in it can start another from now on. */
  forbidForks(): void {
    try {
      writeFileSync(join(this.folder, 'pids.max'), '0');
    } catch {
      // Gone already.
    }
  }

  /** To be called when no process is left in it. */
  remove(): void {
    try {
      rmdirSync(this.folder);
    } catch {
      // A zombie that its new parent has not asked for yet keeps it; an empty control group costs next to nothing.
    }
  }
}

/** The worker's own group in the hierarchy that has the `pids` controller (cgroups(7)), when groups can be made below it. */
function findParent(): string | null {
  for (const [mount, controller] of [
    ['/sys/fs/cgroup/pids', 'pids'],
    ['/sys/fs/cgroup', ''],
  ] as const) {
    try {
      const own = readFileSync('/proc/self/cgroup', 'utf8')
        .split('\n')
        .map((line) => line.split(':'));
      const path = own.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2];
      if (path === undefined) continue;
      const folder = join(mount, path);
      accessSync(folder, constants.W_OK);
      if (controller !== '') return folder;
      if (readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').split(/\s/).includes('pids')) return folder;
    } catch {
      // Not this one.
    }
  }
  return null;
}
