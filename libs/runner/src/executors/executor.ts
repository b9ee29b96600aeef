import type { ErrorCode, JsonObject } from '#kernel';
import type { StepDefinition } from '../definition/definition.js';
import type { HeldJob } from '../engine/held-job.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import type { StepState } from '../state/job-state.js';

/** One attempt of one step, as its executor sees it. `step.started` is recorded already, but not committed. */
export interface StepRun<Definition extends StepDefinition = StepDefinition> {
  job: HeldJob;
  step: StepState;
  definition: Definition;
  /** Everything that expressions may see, as of the attempt's start. */
  context: ExpressionContext;
  /** Aborted when the attempt must end at once: the reason is an AppError LEASE_LOST, INTERRUPTED, CANCELLED or JOB_TIMEOUT. */
  stop: AbortSignal;
  /** Records `step.completed`, for an executor that commits it together with rows of its own. */
  recordCompleted(outputs: JsonObject): void;
}

/** How an attempt ended. */
export type StepOutcome =
  | { kind: 'completed'; outputs: JsonObject; exitCode: number | null }
  | { kind: 'failed'; code: ErrorCode; message: string; outputs: JsonObject; exitCode: number | null }
  /** The executor has recorded and committed the completion itself. */
  | { kind: 'recorded' }
  /** It waits for something outside, until a time (RFC 3339) or for as long as it takes: nobody holds the job meanwhile. */
  | { kind: 'waiting'; until: string | null }
  /** It was stopped, by `stop`: because the worker stops, the job was cancelled, or its time is over. */
  | { kind: 'interrupted'; exitCode?: number | null }
  /** The claim is lost: nothing may be written. */
  | { kind: 'lost' };

/** Carries out the steps of one type. Side effects begin only after a commit, so that the ledger knows of the attempt before the world does. */
export interface StepExecutor<Definition extends StepDefinition = StepDefinition> {
  readonly type: Definition['type'];
  /**
   * True for a step whose attempt goes on when its job is claimed again: `execute` is called anew for the same attempt. The attempt of any
   * other step ends with its worker.
   */
  resumes?(definition: Definition): boolean;
  execute(run: StepRun<Definition>): Promise<StepOutcome>;
}

export function failed(code: ErrorCode, message: string): StepOutcome {
  return { kind: 'failed', code, message, outputs: {}, exitCode: null };
}
