import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupHost } from './cgroup-host.js';
import { hasProc, processTable, readProcesses, type ProcessTable } from './process-table.js';
import { RUN_VARIABLE } from './tagged-processes.js';

const LOOKS = 50;
const LOOK_MS = 100;

/** A worker, named for good: a pid means something in its PID namespace only, and one process only with its start time. */
interface Runner {
  namespace: string;
  pid: number;
  startedAt: string;
}

/** @returns a value for RUN_VARIABLE that names one run and this process, which is running it */
export function newRunTag(): string {
  const run = randomUUID();
  const self = thisRunner();
  return self === null ? run : [run, self.namespace, self.pid, self.startedAt].join('/');
}

const CGROUP_PREFIX = 'runledger-run-';

/** @returns a name for the control groups of one run that this process is running */
export function newCgroupName(): string {
  return `${CGROUP_PREFIX}${runnerName()}-${randomUUID()}`;
}

/** This process in a form that fits into names: namespace, pid and start time, with dashes between them. */
export function runnerName(): string {
  const self = thisRunner();
  return self === null ? `0-${process.pid}-0` : [self.namespace, self.pid, self.startedAt].join('-');
}

/** @returns false when `runnerName` named a process of this PID namespace that is gone */
export function mayBeRunning(name: string): boolean {
  const [namespace = '', pid = '', startedAt = ''] = name.split('-');
  if (!hasProc || namespace !== pidNamespace()) return true;
  return readProcesses([Number(pid)]).get(Number(pid))?.startedAt === startedAt;
}

function thisRunner(): Runner | null {
  if (!hasProc) return null;
  const startedAt = readProcesses([process.pid]).get(process.pid)?.startedAt ?? '';
  return { namespace: pidNamespace(), pid: process.pid, startedAt };
}

/**
 * Kills what still runs of commands whose worker is gone and could not end them: where the worker's death was seen by nobody because
 * what watched it was killed too. Finds what is in a control group of such a run, and what carries its tag. Only on Linux; elsewhere
 * it does nothing.
 * @returns how many processes there were
 */
export async function endAbandonedRuns(): Promise<number> {
  if (!hasProc) return 0;
  const seen = new Set<number>();
  for (let look = 0; look < LOOKS; look += 1) {
    const groups = abandonedCgroups();
    const found = [...groups.flatMap(processesIn), ...abandoned(processTable(-1))];
    groups.forEach(removeCgroup);
    if (found.length === 0) break;
    for (const pid of found) {
      seen.add(pid);
      kill(pid);
    }
    await sleep(LOOK_MS);
  }
  return seen.size;
}

function abandoned(table: ProcessTable): number[] {
  const namespace = pidNamespace();
  return [...table.values()].flatMap((entry) => {
    const runner = entry.zombie ? null : runnerOf(entry.pid);
    if (runner === null || runner.namespace !== namespace) return [];
    return table.get(runner.pid)?.startedAt === runner.startedAt ? [] : [entry.pid];
  });
}

/** Who runs this process as part of a command, or null. */
function runnerOf(pid: number): Runner | null {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    const tag = environment.find((assignment) => assignment.startsWith(`${RUN_VARIABLE}=`));
    const [, namespace, runner, startedAt] = tag?.split('/') ?? [];
    if (namespace === undefined || runner === undefined || startedAt === undefined || startedAt === '') return null;
    return { namespace, pid: Number(runner), startedAt };
  } catch {
    return null;
  }
}

function abandonedCgroups(): string[] {
  const { pids, memory } = cgroupHost();
  const parents = new Set([pids?.folder ?? [], memory?.folder ?? []].flat());
  return [...parents].flatMap((parent) =>
    namesIn(parent)
      .filter((name) => name.startsWith(CGROUP_PREFIX) && !mayBeRunning(name.slice(CGROUP_PREFIX.length)))
      .map((name) => join(parent, name)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function processesIn(cgroup: string): number[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function removeCgroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty yet.
  }
}

/** The number of this PID namespace; the kernel says `pid:[4026531836]`. */
function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
