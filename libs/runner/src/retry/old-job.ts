import type { EventPayloads } from '#ledger';
import { PHASES, type Phase } from '../definition/definition.js';
import { EMPTY_TREE_HASH } from '../checkpoints/tree-hash.js';
import type { JobState, StepState } from '../state/job-state.js';

/** What a workdir held at one moment, and where it is kept: without `ref` it held nothing. */
export interface KeptTree {
  jobId: string;
  phase: Phase;
  treeHash: string;
  ref: string | null;
  sha256: string | null;
  sizeBytes: number;
  files: number;
}

/** A workdir that nobody kept. */
export interface MissingTree {
  missing: string;
}

/** The work of a step that a retry may take over. */
export interface DoneStep {
  /** Who did it: an earlier job, where this one had reused it too. */
  by: { jobId: string; stepId: string };
  inputsHash: string | null;
}

/** A finished job, as far as a retry of it is concerned. */
export interface OldJob {
  state: JobState;
  /** By key. */
  done: Map<string, DoneStep>;
  /** The workdir as it was at the end of each phase. */
  trees: Map<Phase, KeptTree | MissingTree>;
}

/** What the ledger of a job says of steps that were done and of its workdir, in its order. */
export type RetryFact =
  | Fact<'step.completed'>
  | Fact<'step.skipped'>
  | Fact<'phase.completed'>
  | Fact<'phase.failed'>
  | Fact<'phase.skipped'>
  | Fact<'checkpoint.created'>
  | Fact<'checkpoint.skipped'>
  | Fact<'checkpoint.restored'>;

interface Fact<Type extends keyof EventPayloads> {
  type: Type;
  phase: Phase | null;
  stepId: string | null;
  payload: EventPayloads[Type];
}

/** The types of `RetryFact`. */
export const RETRY_FACTS: readonly RetryFact['type'][] = [
  'step.completed',
  'step.skipped',
  'phase.completed',
  'phase.failed',
  'phase.skipped',
  'checkpoint.created',
  'checkpoint.skipped',
  'checkpoint.restored',
];

const NOT_KEPT = 'its workdirs were not kept (checkpoints: false)';
const BROKEN_OFF = 'the phase was broken off';
const LAST_PHASE = 'no phase came after it, so its workdir was not kept';

/** @param before the job that this one went on with, where it restored its workdir */
export function oldJob(state: JobState, facts: readonly RetryFact[], before: OldJob | null): OldJob {
  return { state, done: doneSteps(state, facts), trees: trees(state, facts, before) };
}

export function isKept(tree: KeptTree | MissingTree): tree is KeptTree {
  return 'treeHash' in tree;
}

function doneSteps(state: JobState, facts: readonly RetryFact[]): Map<string, DoneStep> {
  const keys = new Map(state.steps.map((step) => [step.id, step.key]));
  const done = new Map<string, DoneStep>();
  for (const fact of facts) {
    const key = keys.get(fact.stepId ?? '');
    if (key === undefined || fact.stepId === null) continue;
    if (fact.type === 'step.completed')
      done.set(key, { by: { jobId: state.id, stepId: fact.stepId }, inputsHash: fact.payload.inputsHash ?? null });
    else if (fact.type === 'step.skipped' && fact.payload.reusedFrom !== undefined)
      done.set(key, { by: fact.payload.reusedFrom, inputsHash: fact.payload.inputsHash ?? null });
  }
  return done;
}

/**
 * The workdir at the end of each phase: a phase that changed it has a checkpoint, or says why not; a phase that has neither left it as it
 * was. Up to the first phase in which this job ran commands of its own, it is the workdir of the job that it went on with.
 */
function trees(state: JobState, facts: readonly RetryFact[], before: OldJob | null): OldJob['trees'] {
  const result: OldJob['trees'] = new Map();
  let current: KeptTree | MissingTree = { ...EMPTY_TREE, jobId: state.id };
  let own = before === null;
  for (const phase of PHASES.slice(0, -1)) {
    const ran = state.steps.some((step) => step.phase === phase && isCommandThatRan(step));
    if (ran && !own) current = restoredTree(state.id, facts) ?? current;
    own ||= ran;
    current = own ? after(state, phase, current, facts, ran) : (before?.trees.get(phase) ?? current);
    result.set(phase, current);
  }
  return result;
}

function after(
  state: JobState,
  phase: Phase,
  current: KeptTree | MissingTree,
  facts: readonly RetryFact[],
  ran: boolean,
): KeptTree | MissingTree {
  if (!ran) return current;
  if (state.definition['checkpoints'] !== true) return { missing: NOT_KEPT };
  const kept = facts.findLast((fact) => fact.type === 'checkpoint.created' && fact.payload.phase === phase);
  if (kept?.type === 'checkpoint.created') {
    const { treeHash, ref, sha256, sizeBytes, files } = kept.payload;
    return { jobId: state.id, phase, treeHash, ref, sha256, sizeBytes, files };
  }
  const skipped = facts.findLast((fact) => fact.type === 'checkpoint.skipped' && fact.payload.phase === phase);
  if (skipped?.type === 'checkpoint.skipped') return { missing: skipped.payload.message };
  const end = facts.findLast((fact) => fact.type.startsWith('phase.') && fact.phase === phase);
  if (end === undefined) return { missing: BROKEN_OFF };
  return needsCheckpoint(state, phase) ? current : { missing: LAST_PHASE };
}

/**
 * Whether anybody could need the workdir as it is at the end of this phase: a later phase, or a retry because something went wrong. The
 * last phase of a job in which nothing has gone wrong yet is not kept.
 */
export function needsCheckpoint(state: JobState, phase: Phase): boolean {
  const place = PHASES.indexOf(phase);
  if (state.steps.some((step) => PHASES.indexOf(step.phase) > place)) return true;
  return state.steps.some((step) => step.phase === phase && !isDone(step));
}

function isDone({ status, skipReason }: StepState): boolean {
  return status === 'COMPLETED' || (status === 'SKIPPED' && (skipReason === 'CONDITION' || skipReason === 'REUSED'));
}

/** True for a step that may have changed the workdir. */
export function isCommandThatRan(step: StepState): boolean {
  return step.type === 'COMMAND' && step.attempt > 0;
}

function restoredTree(jobId: string, facts: readonly RetryFact[]): KeptTree | null {
  const fact = facts.find((one) => one.type === 'checkpoint.restored' && one.payload.jobId !== jobId);
  return fact?.type === 'checkpoint.restored' ? treeOf(fact.payload) : null;
}

/** The tree that a restoration named. */
export function treeOf(payload: EventPayloads['checkpoint.restored']): KeptTree {
  const { jobId, phase, treeHash, ref, sha256, sizeBytes, files } = payload;
  return { jobId, phase: phase as Phase, treeHash, ref, sha256, sizeBytes, files };
}

/** A workdir in which nothing ever was; `jobId` is to be filled in. */
export const EMPTY_TREE: KeptTree = {
  ...{ jobId: '', phase: 'SETUP', ref: null, sha256: null, sizeBytes: 0, files: 0 },
  treeHash: EMPTY_TREE_HASH,
};
