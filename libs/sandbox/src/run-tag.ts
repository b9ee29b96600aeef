import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProc, processTable, type ProcessTable } from './process-table.js';

/** Marks every process of a run, so that one which left its parent and its session is still found. */
export const RUN_VARIABLE = 'RUNLEDGER_SANDBOX_RUN';

const LOOKS = 50;
const LOOK_MS = 100;

/** The worker that a tag names: a pid means something in its PID namespace only, and one process only with its start time. */
interface Runner {
  namespace: string;
  pid: number;
  startedAt: string;
}

/** @returns a value for RUN_VARIABLE that names one run and this process, which is running it */
export function newRunTag(): string {
  const run = randomUUID();
  if (!hasProc) return run;
  const startedAt = processTable(Infinity).get(process.pid)?.startedAt ?? '';
  return [run, pidNamespace(), process.pid, startedAt].join('/');
}

/**
 * Kills what still runs of commands without isolation whose worker is gone and could not end them: where the worker's death was seen by
 * nobody because what watched it was killed too. Only on Linux; elsewhere it does nothing.
 * @returns how many processes there were
 */
export async function endAbandonedRuns(): Promise<number> {
  if (!hasProc) return 0;
  const seen = new Set<number>();
  for (let look = 0; look < LOOKS; look += 1) {
    const found = abandoned(processTable(0));
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

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
