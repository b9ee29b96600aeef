import { systemClock } from '#kernel';
import type { JobCore, JobCoreRow, JobHold } from '../store/job-rows.js';

export const WAIT_REASONS = ['RUN_AT', 'CONCURRENCY', 'RATE_LIMIT', 'APPROVAL', 'RETRY'] as const;

/** What keeps a job from going on. */
export interface WaitingForView {
  reason: (typeof WAIT_REASONS)[number];
  /** When it is over at the latest, where there is such a time. RFC 3339. */
  until: string | null;
}

/** What the rows say of a job's waiting beside its history. Times are RFC 3339. */
export interface Waiting {
  hold: JobHold | null;
  /** Since when a running job is with no worker. */
  parkedAt: string | null;
  wakeAt: string | null;
  /** When the next attempt of a step is due; null where none is waited for. */
  retryAt: string | null;
}

export const NOT_WAITING: Waiting = { hold: null, parkedAt: null, wakeAt: null, retryAt: null };

/** @param retryAt of the job's steps */
export function waitingOf(row: JobCoreRow, retryAt: Date | string | null): Waiting {
  return { hold: row.hold, parkedAt: iso(row.parked_at), wakeAt: iso(row.wake_at), retryAt: iso(retryAt) };
}

/** What the job waits for, as far as its rows say so. That workers are busy, or the workspace's limit is reached, they do not say. */
export function waitingFor({ status, runAt }: JobCore, waiting: Waiting): WaitingForView | null {
  if (status === 'RUNNING') return whileParked(waiting);
  if (status !== 'PENDING') return null;
  if (runAt !== null && runAt > systemClock.now()) return { reason: 'RUN_AT', until: runAt };
  if (waiting.hold === 'CONCURRENCY' || waiting.hold === 'RATE_LIMIT') return { reason: waiting.hold, until: null };
  return null;
}

/** A job leaves its worker for two reasons: the pause before an attempt, and people who have to decide. */
function whileParked({ parkedAt, wakeAt, retryAt }: Waiting): WaitingForView | null {
  if (parkedAt === null) return null;
  return retryAt === null ? { reason: 'APPROVAL', until: wakeAt } : { reason: 'RETRY', until: retryAt };
}

function iso(time: Date | string | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
