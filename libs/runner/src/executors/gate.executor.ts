import { Injectable } from '@nestjs/common';
import { AppError, storableText } from '#kernel';
import type { GateStepDefinition } from '../definition/definition.js';
import { evaluateCondition } from '../expressions/evaluate-expression.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';

/** A GATE with a condition: passes when the expression is true. It touches nothing, so it needs no commit of its own. */
@Injectable()
export class GateExecutor implements StepExecutor<GateStepDefinition> {
  readonly type = 'GATE';

  async execute({ job, step, definition, context }: StepRun<GateStepDefinition>): Promise<StepOutcome> {
    const { condition } = definition;
    job.record('gate.started', { condition }, { step });
    try {
      if (evaluateCondition(condition, context)) {
        job.record('gate.passed', { condition }, { step });
        return { kind: 'completed', outputs: {}, exitCode: null };
      }
      job.record('gate.failed', { condition, reason: 'the condition is false' }, { step });
      return failed('GATE_REJECTED', `the condition is false: ${condition}`);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      job.record('gate.failed', { condition, reason: storableText(error.message, 4_000) }, { step });
      return failed(error.code, error.message);
    }
  }
}
