import type { JobStatus } from './job-state.js';

/** What may follow what. A status without successors is final. */
export const JOB_TRANSITIONS: Record<JobStatus, readonly JobStatus[]> = {
  PENDING: ['QUEUED', 'FAILED', 'CANCELLED'],
  QUEUED: ['RUNNING', 'FAILED', 'CANCELLED'],
  RUNNING: ['COMPLETED', 'FAILED', 'CANCELLED'],
  COMPLETED: [],
  FAILED: [],
  CANCELLED: [],
};

/** True for a job that will never change again. */
export function isTerminalJob(status: JobStatus): boolean {
  return JOB_TRANSITIONS[status].length === 0;
}

export function canMoveJob(from: JobStatus, to: JobStatus): boolean {
  return JOB_TRANSITIONS[from].includes(to);
}
