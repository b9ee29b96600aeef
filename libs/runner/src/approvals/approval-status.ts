export const APPROVAL_STATUSES = ['PENDING', 'GRANTED', 'REJECTED', 'EXPIRED', 'VOID', 'CANCELLED'] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

export type ApprovalDecision = 'grant' | 'reject';

/**
 * The status that a request has at this moment, by the database's clock. A row stays PENDING until a worker or a decision moves it; that
 * its time is over, or that its job is to be cancelled, is true before. (`approval` and `job` are the tables' aliases.)
 */
export const STATUS_NOW = `CASE WHEN approval.status <> 'PENDING' THEN approval.status
  WHEN approval.expires_at <= least(clock_timestamp(), job.cancel_requested_at) THEN 'EXPIRED'
  WHEN job.cancel_requested_at IS NOT NULL THEN 'CANCELLED' ELSE 'PENDING' END`;

/** When it got that status; null while it is PENDING. */
export const DECIDED_NOW = `CASE WHEN approval.status <> 'PENDING' THEN approval.decided_at
  WHEN approval.expires_at <= least(clock_timestamp(), job.cancel_requested_at) THEN approval.expires_at
  ELSE job.cancel_requested_at END`;
