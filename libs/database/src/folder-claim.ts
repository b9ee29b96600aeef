import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel';
import { systemCode } from './system-code.js';

/** The right to use a folder alone. */
export interface FolderClaim {
  release(): void;
}

interface Owner {
  pid: number;
  /** When the process began, where the system tells: numbers of processes are used again. */
  startedAt: string | null;
}

/**
 * Claims a folder for this process by a file that names it. The claim of a process that is gone counts for nothing.
 * @throws AppError ALREADY_RUNNING with the living process's number
 */
export function claimFolder(folder: string): FolderClaim {
  const path = join(folder, 'runledger.pid');
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) } satisfies Owner));
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        linkSync(own, path); // atomic, and fails when the file exists
        return { release: () => release(path) };
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
      const owner = readOwner(path);
      if (owner !== undefined && isAlive(owner)) throw alreadyRunning(folder, owner.pid);
      rmSync(path, { force: true });
    }
    throw new AppError('ALREADY_RUNNING', `several processes are starting in ${folder} at once: try again`);
  } finally {
    rmSync(own, { force: true });
  }
}

function alreadyRunning(folder: string, pid: number): AppError {
  const whose = pid === process.pid ? 'this process' : `process ${pid}`;
  return new AppError(
    'ALREADY_RUNNING',
    `${folder} is in use by ${whose}: stop it first (kill ${pid}), or choose another folder with --data-dir or DATA_DIR`,
    { details: { pid, folder } },
  );
}

function release(path: string): void {
  if (readOwner(path)?.pid === process.pid) rmSync(path, { force: true });
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return false;
  }
  const startedAt = startOf(owner.pid);
  return owner.startedAt === null || startedAt === null || owner.startedAt === startedAt;
}

/** The start of a process in clock ticks after boot (proc(5), stat field 22), or null where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
