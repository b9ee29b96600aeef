import { Injectable } from '@nestjs/common';
import { Database, type DatabaseClient } from '#database';
import type { ApprovalSubject } from './approval-subject.js';
import { DECIDED_NOW, STATUS_NOW, type ApprovalDecision, type ApprovalStatus } from './approval-status.js';

export interface ApprovalView {
  id: string;
  workspaceId: string;
  jobId: string;
  jobName: string;
  stepId: string;
  stepKey: string;
  scope: string;
  status: ApprovalStatus;
  subject: ApprovalSubject;
  minApprovals: number;
  /** Roles of which the approver's key must carry one; empty: any key with the scope. */
  approverRoles: string[];
  /** How many have granted it. */
  grants: number;
  /** Who submitted the job; the name is null for what has none, or is gone. */
  requestedBy: { type: string; id: string; name: string | null };
  requestedAt: string;
  expiresAt: string;
  decidedAt: string | null;
  /** The request that became void because the content had changed. */
  replacesId: string | null;
}

export interface DecisionView {
  decision: ApprovalDecision;
  comment: string | null;
  actor: { type: string; id: string; name: string };
  subjectDigest: string;
  decidedAt: string;
}

export interface ApprovalDetailView extends ApprovalView {
  decisions: DecisionView[];
}

export interface ApprovalListOptions {
  limit: number;
  /** The last one seen. */
  afterId: string | null;
  /** Null: whatever its status. */
  status: ApprovalStatus | null;
  jobId: string | null;
  scope: string | null;
}

interface ApprovalRow {
  id: string;
  workspace_id: string;
  job_id: string;
  job_name: string;
  step_id: string;
  step_key: string;
  scope: string;
  status_now: ApprovalStatus;
  subject: ApprovalSubject;
  min_approvals: number;
  approver_roles: string[];
  created_by_type: string;
  created_by_id: string;
  created_by_name: string | null;
  requested_at: Date;
  expires_at: Date;
  decided_now: Date | null;
  replaces_id: string | null;
  decisions: DecisionRow[];
}

interface DecisionRow {
  decision: ApprovalDecision;
  comment: string | null;
  actor_type: string;
  actor_id: string;
  actor_name: string;
  subject_digest: string;
  decided_at: string;
}

/** Reads the approvals of one workspace. What belongs to another is not there. */
@Injectable()
export class ApprovalQueries {
  constructor(private readonly database: Database) {}

  /** Those that wait for a decision oldest first, all others newest first. */
  async list(workspaceId: string, options: ApprovalListOptions): Promise<ApprovalView[]> {
    const { status } = options;
    const oldestFirst = status === 'PENDING';
    const conditions = ['approval.workspace_id = $1'];
    const values: unknown[] = [workspaceId, options.limit];
    const where = (sql: string, value: unknown): void => {
      if (value !== null) conditions.push(sql.replace('?', `$${values.push(value)}`));
    };
    // What waits is found by its own index; whether it still does is asked of these few.
    if (oldestFirst) conditions.push("approval.status = 'PENDING'");
    where(`${STATUS_NOW} = ?`, status);
    where('approval.job_id = ?', options.jobId);
    where('approval.scope = ?', options.scope);
    where(oldestFirst ? 'approval.id > ?' : 'approval.id < ?', options.afterId);
    const order = oldestFirst ? 'ASC' : 'DESC';
    const text = `${SELECT} WHERE ${conditions.join(' AND ')} ORDER BY approval.id ${order} LIMIT $2`;
    return (await this.database.tenantQuery<ApprovalRow>(workspaceId, { text, values })).map(approvalView);
  }

  /** @returns null when the workspace has no such approval */
  async get(workspaceId: string, approvalId: string): Promise<ApprovalDetailView | null> {
    const [row] = await this.database.tenantQuery<ApprovalRow>(workspaceId, oneStatement(workspaceId, approvalId));
    return row === undefined ? null : detailView(row);
  }
}

/** The same from inside a transaction of the caller's that has the workspace set. */
export async function readApproval(
  client: DatabaseClient,
  workspaceId: string,
  approvalId: string,
): Promise<ApprovalDetailView | null> {
  const { rows } = await client.query<ApprovalRow>(oneStatement(workspaceId, approvalId));
  return rows[0] === undefined ? null : detailView(rows[0]);
}

function oneStatement(workspaceId: string, approvalId: string) {
  const text = `${SELECT} WHERE approval.workspace_id = $1 AND approval.id = $2`;
  return { name: 'approval', text, values: [workspaceId, approvalId] };
}

function approvalView(row: ApprovalRow): ApprovalView {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    jobId: row.job_id,
    jobName: row.job_name,
    stepId: row.step_id,
    stepKey: row.step_key,
    scope: row.scope,
    status: row.status_now,
    subject: row.subject,
    minApprovals: row.min_approvals,
    approverRoles: row.approver_roles,
    grants: row.decisions.filter(({ decision }) => decision === 'grant').length,
    requestedBy: { type: row.created_by_type, id: row.created_by_id, name: row.created_by_name },
    requestedAt: row.requested_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    decidedAt: row.decided_now?.toISOString() ?? null,
    replacesId: row.replaces_id,
  };
}

function detailView(row: ApprovalRow): ApprovalDetailView {
  const decisions = row.decisions.map((one) => ({
    decision: one.decision,
    comment: one.comment,
    actor: { type: one.actor_type, id: one.actor_id, name: one.actor_name },
    subjectDigest: one.subject_digest,
    decidedAt: new Date(one.decided_at).toISOString(),
  }));
  return { ...approvalView(row), decisions };
}

const SELECT = `
SELECT approval.*, job.name AS job_name, step.key AS step_key, job.created_by_type, job.created_by_id, author.name AS created_by_name,
  ${STATUS_NOW} AS status_now, ${DECIDED_NOW} AS decided_now, (
    SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.decided_at, d.id), '[]') FROM approval_decisions AS d WHERE d.approval_id = approval.id
  ) AS decisions
FROM approvals AS approval
JOIN runner_jobs AS job ON job.id = approval.job_id
JOIN job_steps AS step ON step.id = approval.step_id
LEFT JOIN api_keys AS author ON author.id = CASE job.created_by_type WHEN 'api_key' THEN job.created_by_id::uuid END`;
