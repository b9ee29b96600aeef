import { AppError, storableText } from '#kernel';
import type { ApprovalGate } from '../approvals/approval-gate.js';
import type { ApprovalRule, GateStepDefinition } from '../definition/definition.js';
import { evaluateCondition } from '../expressions/evaluate-expression.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';

type Run = StepRun<GateStepDefinition>;

/** Of an error's text in the ledger, in characters. */
const LONGEST_REASON = 4_000;

/**
 * A GATE: passes when its condition is true and then, where it asks for an approval, when people have given it. A condition touches
 * nothing, so it needs no commit of its own; a request is committed together with its row, and is waited for without holding the job.
 */
export class GateExecutor implements StepExecutor<GateStepDefinition> {
  readonly type = 'GATE';

  constructor(private readonly approvals: ApprovalGate) {}

  /** Whoever claims the job next goes on with the request that was made. */
  resumes(definition: GateStepDefinition): boolean {
    return definition.approval !== null;
  }

  async execute(run: Run): Promise<StepOutcome> {
    const { approval } = run.definition;
    if (approval === null) return this.checkCondition(run) ?? pass(run, {});
    try {
      return await this.seekApproval(run, approval);
    } catch (error) {
      // Whether a commit arrived is unknown when the connection broke: the next claim reads what is true.
      if (error instanceof AppError && error.retryable) run.job.lose();
      if (run.job.lost.aborted) return { kind: 'lost' };
      throw error;
    }
  }

  private async seekApproval(run: Run, rule: ApprovalRule): Promise<StepOutcome> {
    const made = await this.approvals.find(run.step.id);
    const refusal = made === null ? this.checkCondition(run) : null;
    if (refusal !== null) return refusal;
    const outcome = made === null ? await this.approvals.ask(run, rule) : await this.approvals.resume(run, rule, made);
    switch (outcome.kind) {
      case 'approved':
        return pass(run, { approvalId: outcome.approvalId, approvedBy: outcome.approvedBy });
      case 'refused':
        return refuse(run, outcome.reason, failed(outcome.code, outcome.reason));
      case 'step':
        return outcome.outcome;
    }
  }

  /** @returns how the step fails, or null */
  private checkCondition(run: Run): StepOutcome | null {
    const { job, step, context } = run;
    const { condition } = run.definition;
    job.record('gate.started', { condition }, { step });
    try {
      if (condition === null || evaluateCondition(condition, context)) return null;
      const message = `the condition is false: ${condition}`;
      return refuse(run, 'the condition is false', failed('GATE_REJECTED', message));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return refuse(run, error.message, failed(error.code, error.message));
    }
  }
}

function pass(
  { job, step, definition }: Run,
  outputs: Extract<StepOutcome, { kind: 'completed' }>['outputs'],
): StepOutcome {
  job.record('gate.passed', { condition: definition.condition }, { step });
  return { kind: 'completed', outputs, exitCode: null };
}

function refuse({ job, step, definition }: Run, reason: string, outcome: StepOutcome): StepOutcome {
  job.record(
    'gate.failed',
    { condition: definition.condition, reason: storableText(reason, LONGEST_REASON) },
    { step },
  );
  return outcome;
}
