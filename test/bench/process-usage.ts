import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in ticks of 10 ms. */
const TICKS_PER_SECOND = 100;

/** Processor seconds of a process and its children, the ended ones included. */
export function cpuSeconds(pid: number): number {
  return treeOf(pid).reduce((sum, member) => sum + ticksOf(member, member === pid), 0) / TICKS_PER_SECOND;
}

/** The largest resident set that any process of the tree has had, in MiB. */
export function peakRssMiB(pid: number): number {
  const peaks = treeOf(pid).map(
    (member) => Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${member}/status`))?.[1] ?? 0) / 1024,
  );
  return Math.round(Math.max(...peaks));
}

function treeOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => parentOf(other) === pid);
  return [pid, ...children.flatMap(treeOf)];
}

function parentOf(pid: number): number {
  return Number(fieldsOf(pid)[1] ?? 0);
}

function ticksOf(pid: number, withEndedChildren: boolean): number {
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fieldsOf(pid).slice(11, 15).map(Number);
  return utime + stime + (withEndedChildren ? cutime + cstime : 0);
}

/** The fields of `/proc/PID/stat` behind the command's name, which may hold spaces: state, ppid, ... */
function fieldsOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
