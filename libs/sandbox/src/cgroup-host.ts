import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export type CgroupVersion = 1 | 2;

/** A folder below which this process may make control groups that the controller bounds. */
export interface CgroupParent {
  folder: string;
  version: CgroupVersion;
}

/** What this host lets the worker divide (cgroups(7)). */
export interface CgroupHost {
  pids: CgroupParent | null;
  memory: CgroupParent | null;
}

type Controller = keyof CgroupHost;

const MOUNT = '/sys/fs/cgroup';
const OWN = '/proc/self/cgroup';
/** Where the worker goes so that the group it was started in has no process of its own, as version 2 demands of one that is divided. */
const LEAF = 'runledger-worker';
const V2_CONTROLLERS: readonly Controller[] = ['memory', 'pids'];

let known: CgroupHost | undefined;

/** Looks once for each process, because the answer may cost the worker a move to a group below its own. */
export function cgroupHost(): CgroupHost {
  known ??= findCgroupHost(MOUNT, OWN, canJoin);
  return known;
}

/**
 * @param mount where control groups are mounted
 * @param own the file that names the groups of this process
 * @param joinable tells whether a process can be put into a group made below the folder; not every folder that lets one be made lets it be used
 */
export function findCgroupHost(mount: string, own: string, joinable: (folder: string) => boolean): CgroupHost {
  const groups = readLines(own).map((line) => line.split(':'));
  const unified = groups.find(([hierarchy]) => hierarchy === '0')?.[2];
  const v2 = unified === undefined ? null : divideUnified(mount, unified, joinable);
  const find = (controller: Controller): CgroupParent | null => {
    if (v2?.controllers.includes(controller) === true) return { folder: v2.folder, version: 2 };
    const path = groups.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2];
    const folder = resolve(join(mount, controller, path ?? ''));
    return path !== undefined && isWritable(folder) && joinable(folder) ? { folder, version: 1 } : null;
  };
  return { pids: find('pids'), memory: find('memory') };
}

/**
 * A group of version 2 hands controllers on to groups below it only while it has no processes of its own. Three ways: it does so already
 * (the root); the worker was put into a group of its own below a divided one (systemd: DelegateSubgroup=); or the worker is alone in a
 * group that is its own to divide (systemd: Delegate=yes) and moves down. Where others are in it, it is not the worker's to rearrange.
 */
function divideUnified(
  mount: string,
  own: string,
  joinable: (folder: string) => boolean,
): { folder: string; controllers: Controller[] } | null {
  const folder = resolve(join(mount, own));
  const above = dirname(folder);
  // A slice is systemd's own, and never a service's to divide.
  const candidates = own === '/' || above.endsWith('.slice') ? [folder] : [folder, above];
  for (const candidate of candidates) {
    if (candidate === above && readLines(join(above, 'cgroup.procs')).length === 0) handOn(above);
    const controllers = handedOn(candidate);
    if (controllers.length > 0 && isWritable(candidate) && joinable(candidate))
      return { folder: candidate, controllers };
  }
  if (!isWritable(folder) || readLines(join(folder, 'cgroup.procs')).join() !== String(process.pid)) return null;
  if (!moveDown(folder)) return null;
  const controllers = handedOn(folder);
  return controllers.length > 0 && joinable(folder) ? { folder, controllers } : null;
}

function handedOn(folder: string): Controller[] {
  const names = readLines(join(folder, 'cgroup.subtree_control')).join(' ').split(/\s+/);
  return V2_CONTROLLERS.filter((controller) => names.includes(controller));
}

/** Has a group hand on what it has been given. */
function handOn(folder: string): boolean {
  const offered = readLines(join(folder, 'cgroup.controllers')).join(' ').split(/\s+/);
  const wanted = V2_CONTROLLERS.filter((controller) => offered.includes(controller));
  if (wanted.length === 0) return false;
  try {
    writeFileSync(join(folder, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '), { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

function moveDown(folder: string): boolean {
  const leaf = join(folder, LEAF);
  try {
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid));
    if (handOn(folder)) return true;
  } catch {
    // Not ours to divide after all.
  }
  undoMove(folder, leaf);
  return false;
}

function undoMove(folder: string, leaf: string): void {
  try {
    writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
    rmdirSync(leaf);
  } catch {
    // It stays in the leaf, which bounds nothing.
  }
}

function canJoin(parent: string): boolean {
  const folder = join(parent, `runledger-probe-${process.pid}`);
  try {
    mkdirSync(folder);
    execFileSync('/bin/sh', ['-c', 'echo $$ > "$1/cgroup.procs"', 'probe', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    try {
      rmdirSync(folder);
    } catch {
      // Was never made.
    }
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
