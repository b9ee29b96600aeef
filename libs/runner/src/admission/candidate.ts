import type { JobRow } from '../store/job-rows.js';

/** What jobs can wait in line for. */
export type LineKind = 'CONCURRENCY' | 'RATE_LIMIT';

/** A key as it counts: within one workspace. */
export interface LineKey {
  workspaceId: string;
  kind: LineKind;
  key: string;
}

/** A job that may be admitted, and the line in which it has waited, if any. Its definition is left out. */
export interface Candidate {
  row: JobRow;
  line: LineKind | null;
}

/** A workspace that has something to be admitted. */
export interface Tenant {
  workspaceId: string;
  /** Priorities of its jobs that are on offer or being worked on; parked ones are neither. */
  active: number[];
  /** How many may be active at a time; null for any number. */
  limit: number | null;
  candidates: Candidate[];
  /** True when more jobs may be ready than were read. */
  hasMore: boolean;
}

export function lineId({ workspaceId, kind, key }: LineKey): string {
  return `${workspaceId} ${kind} ${key}`;
}
