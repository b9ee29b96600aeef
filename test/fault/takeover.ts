import type { Fact } from './evidence.js';
import type { FaultSystem } from './fault-system.js';

/** A job in the hands of a worker at the moment of a fault. */
export interface Orphan {
  id: string;
  epoch: number;
  headSeq: number;
  owner: string;
  sinceMs: number;
}

/** What this worker holds. To be asked right after it was killed or cut off. @param sinceMs the moment of the fault */
export async function heldBy(system: FaultSystem, pid: number, sinceMs: number): Promise<Orphan[]> {
  const rows = await system.sql<Omit<Orphan, 'sinceMs'>>(
    `SELECT id, epoch, head_seq AS "headSeq", lease_owner AS owner FROM runner_jobs
     WHERE lease_owner LIKE '%/' || $1 || '/%' AND completed_at IS NULL`,
    [String(pid)],
  );
  return rows.map((row) => ({ ...row, sinceMs }));
}

/** For each of them, how long after the fault somebody else recorded something: milliseconds. One that nobody took over is Infinity. */
export function takeoverTimes(orphans: Orphan[], facts: Map<string, Fact[]>): number[] {
  return orphans.map(({ id, owner, headSeq, sinceMs }) => {
    const next = facts.get(id)?.find((fact) => fact.seq > headSeq && fact.actor !== owner);
    return next === undefined ? Infinity : Math.round(next.atMs - sinceMs);
  });
}

export function percentile(values: number[], percent: number): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor((percent / 100) * sorted.length))] ?? null;
}
