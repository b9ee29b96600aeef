import { AppError, canonicalJson, type JsonObject } from '#kernel';
import { PHASES } from '../definition/definition.js';
import { definitionOf, expressionContext } from '../engine/decide.js';
import { evaluateCondition } from '../expressions/evaluate-expression.js';
import type { JobState, StepState } from '../state/job-state.js';
import {
  EMPTY_TREE,
  isCommandThatRan,
  isKept,
  type DoneStep,
  type KeptTree,
  type MissingTree,
  type OldJob,
} from './old-job.js';
import { inputsHashOf } from './step-inputs.js';

/** What a retry takes over from the job that it retries. */
export interface ReusePlan {
  /** The workdir to begin with; null to begin with an empty one. */
  tree: KeptTree | null;
  /** Key of the first command that runs again; null when none does. */
  runFrom: string | null;
  /** By key. */
  reused: Map<string, ReusedStep>;
  /** By key: why a step before the one that was asked for runs again. */
  refusals: Map<string, string>;
}

export interface ReusedStep extends DoneStep {
  outputs: JsonObject;
}

const NOT_AS_IT_WAS = 'the workdir was not kept as it was then';

/** A workdir to begin with, and the first step (by its place) that cannot be reused with it, because its work is not in there, or not alone. */
interface Beginning {
  tree: KeptTree | MissingTree;
  before: number;
}

/**
 * Decides what a retry takes over. All steps share one workdir, so commands are reused from the first up to some step, and with them the
 * workdir as it was before that step. A workdir is kept at the end of each phase: so "before a step" is either the end of the phase
 * before, or the end of the step's own phase, if the old job got no further in it than to this step.
 *
 * The last step up to which commands can be reused is thus found in two moves: the first command, in the order of running, that was not
 * done, was given something else, or was asked to run again; and from there back to the nearest place of which the workdir was kept.
 *
 * @param from key of the first step that was asked to run again
 * @param unusable why a workdir that was kept cannot be had after all; null when it can
 */
export function planReuse(
  job: JobState,
  old: OldJob,
  from: string,
  unusable: (tree: KeptTree) => string | null,
): ReusePlan {
  const asked = Math.max(
    0,
    job.steps.findIndex((step) => step.key === from),
  );
  const { reused, refusals } = comparePrefix(job, old, asked);
  const runsAgain = (step: StepState, index: number): boolean =>
    step.type === 'COMMAND' && (index >= asked || step.phase === 'CLEANUP' || refusals.has(step.key));
  const stop = job.steps.findIndex(runsAgain);
  const place = stop === -1 ? job.steps.length : stop;
  const phase = (job.steps[place] ?? job.steps[asked])?.phase ?? 'SETUP';
  const { before, tree, why } = choose([...beginnings(job, old, place, PHASES.indexOf(phase))], unusable);
  drop(job, before, why, { reused, refusals });
  const commands = job.steps.some((step) => step.type === 'COMMAND' && reused.has(step.key));
  const first = job.steps.find((step, index) => index >= before && runsAgain(step, index));
  return { tree: commands ? tree : null, runFrom: first?.key ?? null, reused, refusals };
}

/** Compares step by step, as expressions will see them then, up to the first command that runs again. */
function comparePrefix(job: JobState, old: OldJob, asked: number): Pick<ReusePlan, 'reused' | 'refusals'> {
  const reused = new Map<string, ReusedStep>();
  const refusals = new Map<string, string>();
  let seen = job;
  let dirty: string | null = null;
  for (const [index, step] of job.steps.slice(0, asked).entries()) {
    if (step.phase === 'CLEANUP') break;
    const earlier = old.state.steps.find((one) => one.key === step.key);
    const done = old.done.get(step.key);
    if (earlier?.skipReason === 'CONDITION' && isSkippedAgain(seen, step)) {
      seen = withStep(seen, index, { status: 'SKIPPED', skipReason: 'CONDITION' });
      continue;
    }
    const why = refusal(seen, step, earlier, done, old.state.id) ?? (dirty === null ? null : afterOther(dirty));
    if (why !== null) refusals.set(step.key, why);
    else if (done !== undefined) reused.set(step.key, { ...done, outputs: earlier?.outputs ?? {} });
    if (why !== null && step.type === 'COMMAND') dirty ??= step.key;
    seen = withStep(seen, index, asSeenAgain(earlier, why === null));
  }
  return { reused, refusals };
}

/** @returns null for a step that can be taken over */
function refusal(
  job: JobState,
  step: StepState,
  earlier: StepState | undefined,
  done: DoneStep | undefined,
  jobId: string,
): string | null {
  if (step.type === 'GATE') return 'gates decide anew in every job';
  if (earlier === undefined) return `job ${jobId} has no such step`;
  if (done === undefined || (earlier.status !== 'COMPLETED' && earlier.skipReason !== 'REUSED'))
    return `it did not complete in job ${jobId}: it was ${earlier.status}`;
  if (canonicalJson(step.config) !== canonicalJson(earlier.config)) return 'its definition has changed';
  if (done.inputsHash === null) return `what it was given in job ${jobId} is not known`;
  if (inputsHashOf(job, step) !== done.inputsHash) return `it is given something else than in job ${jobId}`;
  return null;
}

/**
 * The workdirs that a retry could begin with, the best one first: each allows fewer steps to be reused; with the last, an empty one, none.
 * @param place of the first command that runs again; the number of steps when none does
 */
function* beginnings(job: JobState, old: OldJob, place: number, phase: number): Generator<Beginning> {
  const own = old.trees.get(PHASES[phase] ?? 'CLEANUP');
  if (own !== undefined && gotNoFurther(job, old, place, phase)) yield { tree: own, before: place };
  let before = place;
  for (let at = phase; at >= 0; at -= 1) {
    const first = job.steps.findIndex((step) => step.type === 'COMMAND' && PHASES.indexOf(step.phase) >= at);
    if (first !== -1) before = Math.min(before, first);
    const previous = PHASES[at - 1];
    const tree = previous === undefined ? EMPTY_TREE : old.trees.get(previous);
    if (tree !== undefined) yield { tree, before };
  }
}

function choose(
  possible: Beginning[],
  unusable: (tree: KeptTree) => string | null,
): { tree: KeptTree | null; before: number; why: string } {
  const reasons: string[] = [];
  for (const { tree, before } of possible) {
    const reason = isKept(tree) ? unusable(tree) : tree.missing;
    if (reason === null && isKept(tree)) return { tree, before, why: reasons[0] ?? NOT_AS_IT_WAS };
    if (reason !== null) reasons.push(reason);
  }
  return { tree: null, before: 0, why: reasons[0] ?? NOT_AS_IT_WAS };
}

/** True when, in the old job, nothing in this phase that comes at or after this place did its work. */
function gotNoFurther(job: JobState, old: OldJob, place: number, phase: number): boolean {
  return job.steps.every((step, index) => {
    if (index < place || step.type !== 'COMMAND' || PHASES.indexOf(step.phase) !== phase) return true;
    const earlier = old.state.steps.find((one) => one.key === step.key);
    if (earlier === undefined || old.done.has(step.key)) return false;
    return index === place || !isCommandThatRan(earlier);
  });
}

/** Steps whose work is not in the workdir that was chosen run again, and so does what came after them. */
function drop(job: JobState, before: number, why: string, plan: Pick<ReusePlan, 'reused' | 'refusals'>): void {
  const first = job.steps[before];
  for (const step of job.steps.slice(before)) {
    if (!plan.reused.delete(step.key)) continue;
    plan.refusals.set(step.key, step === first || first === undefined ? why : afterOther(first.key));
  }
}

function afterOther(key: string): string {
  return `step "${key}" before it runs again, and they share the workdir`;
}

function isSkippedAgain(job: JobState, step: StepState): boolean {
  const { when } = definitionOf(step);
  try {
    return when !== null && !evaluateCondition(when, expressionContext(job));
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/** What later steps see of a step, be it taken over or run again: that it runs again with the same result is the best guess. */
function asSeenAgain(earlier: StepState | undefined, taken: boolean): Partial<StepState> {
  if (earlier === undefined) return {};
  const { status, outputs, exitCode } = earlier;
  if (taken) return { status: 'SKIPPED', skipReason: 'REUSED', outputs };
  return { status, outputs, exitCode, attempt: 1 };
}

function withStep(job: JobState, index: number, change: Partial<StepState>): JobState {
  return { ...job, steps: job.steps.map((step, at) => (at === index ? { ...step, ...change } : step)) };
}
