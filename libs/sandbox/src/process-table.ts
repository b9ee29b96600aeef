import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One process of the host. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  group: number;
  /** The session; the process group where `ps` has to tell. */
  session: number;
  /** Together with the pid it names a process for good. */
  startedAt: string;
  rssBytes: number;
  /** Ended, and only waiting for its parent to ask how. */
  zombie: boolean;
}

export type ProcessTable = Map<number, ProcessEntry>;

/** True where processes can be read from /proc, as on Linux; elsewhere `ps` is asked. */
export const hasProc = process.platform === 'linux';

/** Between two readings that prove something is gone: reading /proc takes a fifth of the time at most, however many commands end. */
const REST = 4;
const MIN_REST_MS = 10;

let latest: { beganAt: number; endedAt: number; table: ProcessTable } | undefined;
let next: Promise<ProcessTable> | undefined;

/**
 * All processes, by a reading that began at most `maxAgeMs` ago: one serves every command that this worker runs. A pid in a table of
 * some milliseconds still names the same process: the kernel hands pids out in turn and would have to go round all of them meanwhile.
 */
export function processTable(maxAgeMs: number): ProcessTable {
  if (latest === undefined || performance.now() - latest.beganAt > maxAgeMs) {
    const beganAt = performance.now();
    const table = hasProc ? readProc() : readPs();
    latest = { beganAt, endedAt: performance.now(), table };
  }
  return latest.table;
}

/** All processes, by a reading that begins after this call. Whoever asks before it begins gets the same. */
export function nextProcessTable(): Promise<ProcessTable> {
  next ??= sleep(restMs()).then(() => {
    next = undefined;
    return processTable(-1);
  });
  return next;
}

function restMs(): number {
  if (latest === undefined) return 0;
  const { beganAt, endedAt } = latest;
  return Math.max(0, endedAt + Math.max(MIN_REST_MS, (endedAt - beganAt) * REST) - performance.now());
}

/** These processes only, as they are now; those that have gone are left out. Only on Linux. */
export function readProcesses(pids: Iterable<number>): ProcessTable {
  const table: ProcessTable = new Map();
  for (const pid of pids) {
    const entry = readStat(pid);
    if (entry !== null) table.set(pid, entry);
  }
  return table;
}

function readProc(): ProcessTable {
  const table: ProcessTable = new Map();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const entry = readStat(pid);
    if (entry !== null) table.set(pid, entry);
  }
  return table;
}

/** Reads `/proc/<pid>/stat` (proc(5)); null when the process has gone. @throws when nothing can be read, which proves no absence */
function readStat(pid: number): ProcessEntry | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (number: number): string => fields[number - 3] ?? '';
    return {
      pid,
      parent: Number(field(4)),
      group: Number(field(5)),
      session: Number(field(6)),
      startedAt: field(22),
      rssBytes: Number(field(24)) * pageBytes(),
      zombie: field(3) === 'Z' || field(3) === 'X',
    };
  } catch (error) {
    if (hasCode(error, 'EMFILE') || hasCode(error, 'ENFILE') || hasCode(error, 'ENOMEM')) throw error;
    return null;
  }
}

let knownPageBytes: number | undefined;

function pageBytes(): number {
  knownPageBytes ??=
    Number(/KernelPageSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'utf8'))?.[1] ?? 4) * 1024;
  return knownPageBytes;
}

/** The same by POSIX `ps`, which knows neither sessions nor exact start times on every system. */
export function readPs(): ProcessTable {
  const table: ProcessTable = new Map();
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,rss=,stat='], { encoding: 'utf8' }).split('\n');
  for (const line of lines) {
    const [pid, parent, group, rss, state] = line.trim().split(/\s+/);
    if (state === undefined) continue;
    const entry = {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      session: Number(group),
      startedAt: '',
    };
    table.set(entry.pid, { ...entry, rssBytes: Number(rss) * 1024, zombie: state.startsWith('Z') });
  }
  return table;
}

/**
 * What a process occupies with shared pages counted once in all (PSS), from `/proc/<pid>/smaps_rollup`.
 * @returns 0 when it has given its memory back meanwhile, null when it may not be read
 */
export function proportionalBytes(pid: number): number | null {
  try {
    const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return match === null ? null : Number(match[1]) * 1024;
  } catch (error) {
    return hasCode(error, 'ESRCH') || hasCode(error, 'ENOENT') ? 0 : null;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
