import { Injectable } from '@nestjs/common';
import { AppError, newId, systemClock } from '#kernel';
import { Database, type DatabaseClient } from '#database';
import type { NewEvent } from '#ledger';
import type { JobState } from '../state/job-state.js';
import { isTerminalJob } from '../state/job.machine.js';
import { appendFacts, type Facts } from '../store/append-facts.js';
import { readApproval, type ApprovalDetailView } from './approval.queries.js';
import type { ApprovalDecision } from './approval-status.js';

/** Who decides. */
export interface Approver {
  keyId: string;
  keyName: string;
  roles: string[];
}

/**
 * Takes one decision about one request, for good. Everything about a job's approvals happens with the job's row locked: of two approvers,
 * of an approval and a cancellation, of an approval and the end of its time, one comes first and the other finds that out.
 */
@Injectable()
export class DecideApproval {
  constructor(private readonly database: Database) {}

  /**
   * The same decision again by the same key answers what was recorded.
   * @returns the approval after it; null when the workspace has no such approval
   * @throws AppError FORBIDDEN when this key may not decide about it; CONFLICT, with the `state` in the details, when nobody can any more,
   *   or this key has decided the opposite
   */
  async decide(
    workspaceId: string,
    approvalId: string,
    approver: Approver,
    decision: ApprovalDecision,
    comment: string | null,
  ): Promise<ApprovalDetailView | null> {
    return this.database.tenant(workspaceId, async (client) => {
      const found = await readApproval(client, workspaceId, approvalId);
      if (found === null) return null;
      await appendFacts(client, workspaceId, found.jobId, async ({ state }) => {
        // Read anew: only now is the job's row ours.
        const approval = await readApproval(client, workspaceId, approvalId);
        if (approval === null) throw new Error(`approval ${approvalId} is gone`);
        refuseWithoutRole(approval, approver);
        await refuseOwnJob(client, state, approver);
        const own = approval.decisions.find(({ actor }) => actor.type === 'api_key' && actor.id === approver.keyId);
        if (own?.decision === decision) return null;
        refuseTooLate(approval, state, own?.decision);
        return record(client, approval, state, approver, decision, comment);
      });
      return readApproval(client, workspaceId, approvalId);
    });
  }
}

function refuseWithoutRole({ approverRoles }: ApprovalDetailView, { roles }: Approver): void {
  if (approverRoles.length === 0 || approverRoles.some((role) => roles.includes(role))) return;
  const wanted = approverRoles.map((role) => `"${role}"`).join(' or ');
  throw new AppError('FORBIDDEN', `This approval is for keys with the role ${wanted}; this key has none of them.`);
}

/** Where the workspace demands it, who had the job run does not decide about it. Behind a job of a schedule stand who made it, and who last said what it runs. */
async function refuseOwnJob(client: DatabaseClient, job: JobState, { keyId }: Approver): Promise<void> {
  const { rows } = await client.query<{ require_four_eyes: boolean; authors: string[] | null }>({
    name: 'four-eyes',
    text: FOUR_EYES,
    values: [job.workspaceId, job.scheduleId],
  });
  if (rows[0]?.require_four_eyes === false) return;
  const authors = job.scheduleId === null ? [job.createdById] : (rows[0]?.authors ?? null);
  if (authors !== null && !authors.includes(keyId)) return;
  const whose =
    authors === null
      ? 'the schedule that submitted the job is gone, so that nobody can tell whose job it is'
      : 'the key that submitted the job, or made or changed its schedule, cannot decide about its approvals';
  throw new AppError('FORBIDDEN', `This workspace demands four eyes: ${whose}.`);
}

function refuseTooLate({ id, status }: ApprovalDetailView, job: JobState, decided: ApprovalDecision | undefined): void {
  const state = status === 'PENDING' && isTerminalJob(job.status) ? 'CANCELLED' : status;
  if (decided === undefined && state === 'PENDING') return;
  const message =
    decided === undefined
      ? `Approval ${id} is ${state}: it can no longer be decided.`
      : `This key has already decided: ${decided}. A decision is recorded once; approval ${id} is ${state}.`;
  throw new AppError('CONFLICT', message, { details: { state } });
}

/** The decision, the request's new status when that settles it, and the fact: with the lock still held. */
async function record(
  client: DatabaseClient,
  approval: ApprovalDetailView,
  job: JobState,
  approver: Approver,
  decision: ApprovalDecision,
  comment: string | null,
): Promise<Facts> {
  const { id, workspaceId, subject, minApprovals } = approval;
  await client.query({
    name: 'insert-approval-decision',
    text: INSERT_DECISION,
    values: [newId(), workspaceId, id, decision, comment, 'api_key', approver.keyId, approver.keyName, subject.digest],
  });
  const grants = approval.grants + (decision === 'grant' ? 1 : 0);
  const settled = decision === 'reject' || grants >= minApprovals;
  if (settled) await settle(client, id, decision === 'reject' ? 'REJECTED' : 'GRANTED');
  const event: NewEvent = {
    type: decision === 'grant' ? 'approval.granted' : 'approval.rejected',
    phase: job.currentPhase,
    stepId: approval.stepId,
    actor: { type: 'api_key', id: approver.keyId },
    timestamp: systemClock.now(),
    payload: {
      ...{ approvalId: id, comment, actorName: approver.keyName },
      ...{ subjectDigest: subject.digest, grants, minApprovals },
    },
  };
  return { events: [event], wake: settled };
}

async function settle(client: DatabaseClient, id: string, status: 'GRANTED' | 'REJECTED'): Promise<void> {
  const text = `UPDATE approvals SET status = $2, decided_at = clock_timestamp() WHERE id = $1 AND status = 'PENDING'`;
  const { rowCount } = await client.query({ name: 'settle-approval', text, values: [id, status] });
  if (rowCount !== 1) throw new Error(`approval ${id} moved although its job was locked`);
}

const INSERT_DECISION = `
INSERT INTO approval_decisions (id, workspace_id, approval_id, decision, comment, actor_type, actor_id, actor_name, subject_digest, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())`;

const FOUR_EYES = `
SELECT require_four_eyes, (
  SELECT ARRAY[created_by_id, updated_by_id] FROM schedules WHERE workspace_id = $1 AND schedules.id = $2) AS authors
FROM workspaces WHERE workspaces.id = $1`;
