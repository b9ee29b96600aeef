import { readFileSync } from 'node:fs';
import { hasProc, type ProcessEntry, type ProcessTable } from './process-table.js';

/** Marks every process of a run, so that one which left its parent and its session is still found. */
export const RUN_VARIABLE = 'RUNLEDGER_SANDBOX_RUN';

/** What was read of each process when it was first seen, for all commands of this worker. */
let known = new Map<number, { startedAt: string; tags: readonly string[] }>();
let indexed: { table: ProcessTable; byTag: Map<string, ProcessEntry[]> } | undefined;

/**
 * The processes of a table that were started with this assignment of RUN_VARIABLE, or are forks of one that was. Each environment is
 * read once, when its process is first seen: it is the one cost here that grows with the host, and all commands share it.
 */
export function taggedProcesses(table: ProcessTable, tag: string): ProcessEntry[] {
  if (!hasProc) return [];
  if (indexed?.table !== table) indexed = { table, byTag: indexByTag(table) };
  return indexed.byTag.get(tag) ?? [];
}

function indexByTag(table: ProcessTable): Map<string, ProcessEntry[]> {
  const before = known;
  const byTag = new Map<string, ProcessEntry[]>();
  known = new Map();
  for (const entry of table.values()) {
    // A thread of the kernel.
    if (entry.group === 0) continue;
    const seen = before.get(entry.pid);
    const tags = seen?.startedAt === entry.startedAt ? seen.tags : readTags(entry.pid);
    if (tags === null) continue;
    known.set(entry.pid, { startedAt: entry.startedAt, tags });
    for (const tag of tags) byTag.set(tag, [...(byTag.get(tag) ?? []), entry]);
  }
  return byTag;
}

/** @returns null when it has none, as for a moment within exec(2): then it is asked again at the next look */
function readTags(pid: number): string[] | null {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    if (environment === '') return null;
    return environment.split('\0').filter((assignment) => assignment.startsWith(`${RUN_VARIABLE}=`));
  } catch {
    return [];
  }
}
