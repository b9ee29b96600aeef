import type { DatabaseClient } from '#database';
import type { ApprovalRule } from '../definition/definition.js';
import type { ApprovalSubject } from './approval-subject.js';
import type { ApprovalStatus } from './approval-status.js';

/** The request that a gate has open or got decided, as the worker needs it. */
export interface GateApproval {
  id: string;
  status: ApprovalStatus;
  digest: string;
  /** RFC 3339. */
  expiresAt: string;
  /** True when its time is over, by the database's clock. */
  expired: boolean;
  /** In their order. */
  decisions: { decision: 'grant' | 'reject'; comment: string | null; actorId: string; actorName: string }[];
}

/** A request about to be made. */
export interface NewApproval {
  id: string;
  workspaceId: string;
  jobId: string;
  stepId: string;
  rule: ApprovalRule;
  subject: ApprovalSubject;
  /** The request that has become void. */
  replacesId: string | null;
}

interface Row {
  id: string;
  status: ApprovalStatus;
  subject_digest: string;
  expires_at: Date;
  expired: boolean;
  decisions: { decision: 'grant' | 'reject'; comment: string | null; actor_id: string; actor_name: string }[];
}

/** The statement that finds the request of a gate: the one that is not void, of which there is one at most. */
export function gateApprovalStatement(stepId: string) {
  return { name: 'approval-of-gate', text: OF_GATE, values: [stepId] };
}

export type GateApprovalRow = Row & Record<string, unknown>;

export function toGateApproval(row: Row): GateApproval {
  const decisions = row.decisions.map(({ decision, comment, actor_id, actor_name }) => ({
    ...{ decision, comment, actorId: actor_id, actorName: actor_name },
  }));
  const { id, status, expired } = row;
  return { id, status, expired, decisions, digest: row.subject_digest, expiresAt: row.expires_at.toISOString() };
}

/**
 * Locks a job's row until the transaction ends. Whoever touches both locks the job first, decisions included: so nobody waits in a
 * circle, and of two who want to move a request one comes first.
 */
export async function lockJob(client: DatabaseClient, jobId: string): Promise<void> {
  await client.query({
    name: 'lock-job-of-gate',
    text: 'SELECT FROM runner_jobs WHERE id = $1 FOR UPDATE',
    values: [jobId],
  });
}

/** Its time begins now, by the database's clock. @returns when it is over, RFC 3339 */
export async function insertApproval(client: DatabaseClient, approval: NewApproval): Promise<string> {
  const { id, workspaceId, jobId, stepId, rule, subject, replacesId } = approval;
  const { rows } = await client.query<{ expires_at: Date }>({
    name: 'insert-approval',
    text: INSERT,
    values: [
      ...[id, workspaceId, jobId, stepId, rule.scope, JSON.stringify(subject), subject.digest],
      ...[rule.minApprovals, rule.approverRoles, replacesId, rule.expiresInSeconds],
    ],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('an approval was not inserted');
  return row.expires_at.toISOString();
}

/** @returns false when it was not granted (any more) */
export async function voidApproval(client: DatabaseClient, id: string): Promise<boolean> {
  const text = `UPDATE approvals SET status = 'VOID', decided_at = clock_timestamp() WHERE id = $1 AND status = 'GRANTED'`;
  return (await client.query({ name: 'void-approval', text, values: [id] })).rowCount === 1;
}

/** @returns false when somebody was faster, or it is too early */
export async function expireApproval(client: DatabaseClient, id: string): Promise<boolean> {
  const text = `UPDATE approvals SET status = 'EXPIRED', decided_at = clock_timestamp()
    WHERE id = $1 AND status = 'PENDING' AND expires_at <= clock_timestamp()`;
  return (await client.query({ name: 'expire-approval', text, values: [id] })).rowCount === 1;
}

const OF_GATE = `
SELECT id, status, subject_digest, expires_at, expires_at <= clock_timestamp() AS expired, (
  SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.decided_at, d.id), '[]') FROM approval_decisions AS d WHERE d.approval_id = approval.id
) AS decisions
FROM approvals AS approval WHERE step_id = $1 AND status <> 'VOID' ORDER BY id DESC LIMIT 1`;

const INSERT = `
INSERT INTO approvals (id, workspace_id, job_id, step_id, scope, subject, subject_digest, min_approvals, approver_roles, replaces_id,
  requested_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, t.now, t.now + $11 * interval '1 second' FROM (SELECT clock_timestamp() AS now) AS t
RETURNING expires_at`;
