import { AppError, assertNever, newId, type ErrorCode } from '#kernel';
import type { Database, DatabaseClient } from '#database';
import type { ApprovalRule, GateStepDefinition } from '../definition/definition.js';
import { failed, type StepOutcome, type StepRun } from '../executors/executor.js';
import {
  expireApproval,
  gateApprovalStatement,
  insertApproval,
  lockJob,
  toGateApproval,
  voidApproval,
  type GateApproval,
  type GateApprovalRow,
} from './approval.rows.js';
import type { ApprovalSubject } from './approval-subject.js';
import type { DescribeSubject } from './describe-subject.js';

type Run = StepRun<GateStepDefinition>;

/** What is left to do for the gate itself once people have decided. */
export type ApprovalOutcome =
  | { kind: 'approved'; approvalId: string; approvedBy: { id: string; name: string }[] }
  | { kind: 'refused'; code: ErrorCode; reason: string }
  | { kind: 'step'; outcome: StepOutcome };

/**
 * The worker's side of an approval: asks, and sees what became of it. Nobody holds the job while people think: whatever wakes it, the gate
 * reads what is true and goes on from there.
 */
export class ApprovalGate {
  constructor(
    private readonly database: Database,
    private readonly subjects: DescribeSubject,
  ) {}

  /** The request that this gate has made; null before the first. */
  async find(stepId: string): Promise<GateApproval | null> {
    const [row] = await this.database.query<GateApprovalRow>(gateApprovalStatement(stepId));
    return row === undefined ? null : toGateApproval(row);
  }

  /** Asks for the first time. */
  ask(run: Run, rule: ApprovalRule): Promise<ApprovalOutcome> {
    return this.withSubject(run, rule, (subject) => this.request(run, rule, subject, null));
  }

  /** Goes on with a request that was made, by this worker or another. */
  async resume(run: Run, rule: ApprovalRule, approval: GateApproval): Promise<ApprovalOutcome> {
    switch (approval.status) {
      case 'PENDING':
        return approval.expired ? this.expire(run, rule, approval) : waiting(approval.expiresAt);
      case 'GRANTED':
        return this.withSubject(run, rule, (subject) =>
          subject.digest === approval.digest ? approved(approval) : this.request(run, rule, subject, approval.id),
        );
      case 'REJECTED':
        return { kind: 'refused', code: 'APPROVAL_REJECTED', reason: rejection(approval) };
      case 'EXPIRED':
        return step(expired(approval));
      case 'VOID':
      case 'CANCELLED':
        throw new Error(`approval ${approval.id} is ${approval.status}, and its gate still runs`);
      default:
        return assertNever(approval.status);
    }
  }

  /** What is to be approved, and then what follows from it; or how the step ends when that cannot be said. */
  private async withSubject(
    run: Run,
    rule: ApprovalRule,
    then: (subject: ApprovalSubject) => ApprovalOutcome | Promise<ApprovalOutcome>,
  ): Promise<ApprovalOutcome> {
    const { timeoutSeconds } = run.definition;
    const timeout = AbortSignal.timeout(timeoutSeconds * 1_000);
    const signal = AbortSignal.any([run.stop, timeout]);
    let subject: ApprovalSubject;
    try {
      subject = await this.subjects.describe(run, rule.subject, signal);
      signal.throwIfAborted();
    } catch (error) {
      if (run.job.lost.aborted) return step({ kind: 'lost' });
      if (run.stop.aborted) return step({ kind: 'interrupted' });
      const reason = `reading what is to be approved took longer than ${timeoutSeconds} s`;
      if (timeout.aborted) return { kind: 'refused', code: 'TIMEOUT', reason };
      if (!(error instanceof AppError) || error.retryable) throw error;
      return { kind: 'refused', code: error.code, reason: error.message };
    }
    return then(subject);
  }

  /** @param replacesId the request that becomes void, because what it was about has changed since */
  private async request(
    run: Run,
    rule: ApprovalRule,
    subject: ApprovalSubject,
    replacesId: string | null,
  ): Promise<ApprovalOutcome> {
    const { job } = run;
    const approvalId = newId();
    const { scope, minApprovals, approverRoles } = rule;
    return this.together(run, async (client) => {
      if (replacesId !== null && !(await voidApproval(client, replacesId)))
        throw new Error(`approval ${replacesId} is not granted any more`);
      const place = { workspaceId: job.state.workspaceId, jobId: job.id, stepId: run.step.id };
      const expiresAt = await insertApproval(client, { id: approvalId, ...place, rule, subject, replacesId });
      job.record(
        'approval.requested',
        {
          ...{ approvalId, scope, subject, minApprovals, approverRoles },
          ...{ expiresAt, ...(replacesId !== null && { replaces: replacesId }) },
        },
        { step: run.step },
      );
      return waiting(expiresAt);
    });
  }

  private async expire(run: Run, rule: ApprovalRule, approval: GateApproval): Promise<ApprovalOutcome> {
    const outcome = await this.together(run, async (client) => {
      if (!(await expireApproval(client, approval.id))) return null;
      run.job.record('gate.expired', { expiresAt: approval.expiresAt }, { step: run.step });
      return step(expired(approval));
    });
    if (outcome !== null) return outcome;
    // A decision was faster.
    const decided = await this.find(run.step.id);
    if (decided === null) throw new Error(`gate ${run.step.id} has lost its approval`);
    return this.resume(run, rule, decided);
  }

  /** Rows and facts in one transaction, with the job's row locked first. Null from `write`: nothing was to be written. */
  private together<Outcome extends ApprovalOutcome | null>(
    run: Run,
    write: (client: DatabaseClient) => Promise<Outcome>,
  ): Promise<Outcome> {
    const { job } = run;
    return this.database.transaction(async (client) => {
      await lockJob(client, job.id);
      const outcome = await write(client);
      // Thrown, so that the rows above are rolled back with it.
      if (outcome !== null && !(await job.commitWithin(client)))
        throw new AppError('LEASE_LOST', 'the claim was lost while an approval was asked for');
      return outcome;
    });
  }
}

function step(outcome: StepOutcome): ApprovalOutcome {
  return { kind: 'step', outcome };
}

function waiting(until: string): ApprovalOutcome {
  return step({ kind: 'waiting', until });
}

function expired({ expiresAt }: GateApproval): StepOutcome {
  return failed('GATE_EXPIRED', `nobody decided by ${expiresAt}`);
}

function approved({ id, decisions }: GateApproval): ApprovalOutcome {
  const approvedBy = decisions
    .filter(({ decision }) => decision === 'grant')
    .map(({ actorId, actorName }) => ({ id: actorId, name: actorName }));
  return { kind: 'approved', approvalId: id, approvedBy };
}

function rejection({ decisions }: GateApproval): string {
  const decision = decisions.find((one) => one.decision === 'reject');
  const comment = decision?.comment ?? null;
  return `rejected by "${decision?.actorName ?? ''}"${comment === null ? '' : `: ${comment}`}`;
}
