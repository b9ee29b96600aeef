import { newId, type JsonObject } from '#kernel';
import type { Phase } from '../definition/definition.js';
import { parseJobDefinition } from '../definition/parse-job-definition.js';
import type { JobState, StepState } from '../state/job-state.js';
import { newSubmission } from '../submit/new-submission.js';
import { oldJob, type KeptTree, type OldJob, type RetryFact } from './old-job.js';
import { planReuse, type ReusePlan } from './plan-reuse.js';
import { firstStepOf } from './first-step.js';
import { inputsHashOf } from './step-inputs.js';

const WORKSPACE = newId();
const ACTOR = { type: 'api_key' as const, id: newId() };
const command = (key: string, phase = 'EXECUTION', more: object = {}): object => ({
  ...{ key, phase, type: 'COMMAND', run: `echo ${key}` },
  ...more,
});
const gate = (key: string, phase: string): object => ({ key, phase, type: 'GATE', condition: 'true' });
const artifact = (key: string, phase: string): object => ({ key, phase, type: 'ARTIFACT', paths: ['out/*'] });

const BUILD = [
  command('clone', 'SETUP'),
  command('install', 'SETUP'),
  command('a'),
  command('b'),
  command('c'),
  command('test', 'VALIDATION'),
  command('tidy', 'CLEANUP'),
];

/** A job that went on to the step with the given key, at which it failed, as its ledger would tell it. */
function failedAt(
  key: string,
  steps: object[],
  options: { definition?: object; drop?: RetryFact['type'][]; before?: OldJob } = {},
): OldJob {
  const { definition = {}, drop = [], before = null } = options;
  let state = submitted(steps, definition);
  const facts: RetryFact[] = [];
  let failed = false;
  const trees = new Set<string>();
  for (const step of state.steps) {
    if (step.phase === 'CLEANUP') continue;
    const status: StepState['status'] = failed ? 'SKIPPED' : step.key === key ? 'FAILED' : 'COMPLETED';
    const change = {
      status,
      attempt: failed ? 0 : 1,
      outputs: { from: step.key },
      skipReason: failed ? 'PRECEDING_FAILURE' : null,
    };
    if (status === 'COMPLETED')
      facts.push(
        fact('step.completed', step, {
          attempt: 1,
          outputs: { from: step.key },
          exitCode: 0,
          durationMs: 1,
          ...hashOf(state, step),
        }),
      );
    state = {
      ...state,
      steps: state.steps.map((one) => (one.id === step.id ? { ...one, ...change } : one)),
    };
    if (status !== 'SKIPPED' && step.type === 'COMMAND') trees.add(step.phase);
    failed ||= status === 'FAILED';
  }
  for (const phase of trees) {
    facts.push({ type: 'checkpoint.created', phase: phase as Phase, stepId: null, payload: { ...kept(phase), phase } });
    facts.push({ type: 'phase.completed', phase: phase as Phase, stepId: null, payload: { durationMs: 1 } });
  }
  return oldJob(
    { ...state, status: 'FAILED' },
    facts.filter(({ type }) => !drop.includes(type)),
    before,
  );
}

function fact(
  type: 'step.completed',
  step: StepState,
  payload: Extract<RetryFact, { type: 'step.completed' }>['payload'],
): RetryFact {
  return { type, phase: step.phase, stepId: step.id, payload };
}

function hashOf(state: JobState, step: StepState): { inputsHash?: string } {
  const inputsHash = inputsHashOf(state, step);
  return inputsHash === null ? {} : { inputsHash };
}

const kept = (phase: string) => ({
  treeHash: `tree of ${phase}`,
  ref: `ref of ${phase}`,
  sha256: 'x',
  sizeBytes: 1,
  files: 1,
});

function submitted(steps: object[], more: object = {}): JobState {
  const definition = parseJobDefinition({ name: 'job', steps, ...more });
  return newSubmission(WORKSPACE, ACTOR, definition, {}).state;
}

/** The retry of an old job has its definition. */
function retryOf(old: OldJob, change: (step: StepState) => JsonObject = (step) => step.config): JobState {
  const state = { ...old.state, id: newId(), status: 'RUNNING' as const };
  const fresh = { status: 'PENDING' as const, attempt: 0, outputs: null, skipReason: null };
  return { ...state, steps: state.steps.map((step) => ({ ...step, ...fresh, id: newId(), config: change(step) })) };
}

const usable = (): null => null;
const summary = ({ tree, runFrom, reused }: ReusePlan) => ({
  tree: tree?.ref ?? null,
  runFrom,
  reused: [...reused.keys()],
});

describe('what a retry reuses', () => {
  it('from the failed step: everything before it, and the workdir as it was when the job stopped', () => {
    const old = failedAt('b', BUILD);
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(summary(plan)).toEqual({ tree: 'ref of EXECUTION', runFrom: 'b', reused: ['clone', 'install', 'a'] });
    expect(plan.reused.get('a')).toMatchObject({ outputs: { from: 'a' }, by: { jobId: old.state.id } });
    expect([...plan.refusals]).toEqual([]);
  });

  it('from the first step of a phase: the phases before it', () => {
    const old = failedAt('test', BUILD);
    expect(summary(planReuse(retryOf(old), old, 'a', usable))).toEqual({
      tree: 'ref of SETUP',
      runFrom: 'a',
      reused: ['clone', 'install'],
    });
    expect(summary(planReuse(retryOf(old), old, 'test', usable))).toMatchObject({
      tree: 'ref of VALIDATION',
      reused: ['clone', 'install', 'a', 'b', 'c'],
    });
  });

  it('from a step in the middle of a phase that went further: back to the end of the phase before', () => {
    const old = failedAt('c', BUILD);
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(summary(plan)).toEqual({ tree: 'ref of SETUP', runFrom: 'a', reused: ['clone', 'install'] });
    expect(plan.refusals.get('a')).toBe('the workdir was not kept as it was then');
  });

  it('from the start: nothing', () => {
    const old = failedAt('b', BUILD);
    expect(summary(planReuse(retryOf(old), old, 'clone', usable))).toEqual({
      tree: null,
      runFrom: 'clone',
      reused: [],
    });
  });

  it('only what is defined the same', () => {
    const old = failedAt('b', BUILD);
    const job = retryOf(old, ({ key, config }) => (key === 'install' ? { ...config, name: 'other' } : config));
    const plan = planReuse(job, old, 'b', usable);
    // Of the workdir before "install" there is nothing but the empty one at the start.
    expect(summary(plan)).toEqual({ tree: null, runFrom: 'clone', reused: [] });
    expect(Object.fromEntries(plan.refusals)).toEqual({
      clone: 'the workdir was not kept as it was then',
      install: 'its definition has changed',
      a: 'step "install" before it runs again, and they share the workdir',
    });
  });

  it('only what is given the same: a step that names its job is given another name', () => {
    const steps = [command('clone', 'SETUP'), command('a', 'EXECUTION', { run: 'echo ${{ job.id }}' }), command('b')];
    const old = failedAt('b', steps);
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(summary(plan)).toEqual({ tree: 'ref of SETUP', runFrom: 'a', reused: ['clone'] });
    expect(plan.refusals.get('a')).toContain('it is given something else');
  });

  it('what is given outputs of steps that are reused', () => {
    const steps = [
      command('clone', 'SETUP'),
      command('a', 'EXECUTION', { env: { X: '${{ steps.clone.outputs.from }}' } }),
      command('b'),
    ];
    const old = failedAt('b', steps);
    expect(summary(planReuse(retryOf(old), old, 'b', usable)).reused).toEqual(['clone', 'a']);
  });

  it('nothing of which the inputs are not known', () => {
    const old = failedAt('b', BUILD);
    for (const done of old.done.values()) done.inputsHash = null;
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(plan.reused.size).toBe(0);
    expect(plan.refusals.get('clone')).toContain('is not known');
  });

  it('artifacts, but no gates', () => {
    const steps = [command('a'), artifact('keep', 'EXECUTION'), gate('ok', 'VALIDATION'), command('b', 'VALIDATION')];
    const old = failedAt('b', steps);
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(summary(plan)).toEqual({ tree: 'ref of VALIDATION', runFrom: 'b', reused: ['a', 'keep'] });
    expect(plan.refusals.get('ok')).toBe('gates decide anew in every job');
  });

  it('all commands when a gate is what failed, and CLEANUP never', () => {
    const steps = [command('a'), gate('ok', 'VALIDATION'), command('tidy', 'CLEANUP')];
    const old = failedAt('ok', steps);
    expect(summary(planReuse(retryOf(old), old, 'ok', usable))).toEqual({
      tree: 'ref of EXECUTION',
      runFrom: 'tidy',
      reused: ['a'],
    });
    expect(summary(planReuse(retryOf(old), old, 'tidy', usable)).reused).toEqual(['a']);
  });

  it('a step that failed and was tolerated runs again, and what came after it', () => {
    const steps = [
      command('clone', 'SETUP'),
      command('x', 'EXECUTION', { continueOnError: true }),
      command('b'),
      command('c'),
    ];
    const old = failedAt('c', steps);
    const tolerated = {
      ...old.state,
      steps: old.state.steps.map((step) => (step.key === 'x' ? { ...step, status: 'FAILED' as const } : step)),
    };
    old.done.delete('x');
    const plan = planReuse(retryOf(old), { ...old, state: tolerated }, 'c', usable);
    expect(summary(plan)).toEqual({ tree: 'ref of SETUP', runFrom: 'x', reused: ['clone'] });
    expect(plan.refusals.get('x')).toContain('it was FAILED');
    expect(plan.refusals.get('b')).toContain('step "x" before it runs again');
  });
});

describe('without the workdir that would be best', () => {
  it('goes back to the phase before, and says why', () => {
    const old = failedAt('b', BUILD);
    const plan = planReuse(retryOf(old), old, 'b', ({ phase }) => (phase === 'EXECUTION' ? 'it is gone' : null));
    expect(summary(plan)).toEqual({ tree: 'ref of SETUP', runFrom: 'a', reused: ['clone', 'install'] });
    expect(plan.refusals.get('a')).toBe('it is gone');
  });

  it('runs everything again where none is left, and where none was kept', () => {
    const old = failedAt('b', BUILD);
    expect(summary(planReuse(retryOf(old), old, 'b', () => 'gone'))).toEqual({
      tree: null,
      runFrom: 'clone',
      reused: [],
    });
    const unkept = failedAt('b', BUILD, { definition: { checkpoints: false } });
    const plan = planReuse(retryOf(unkept), unkept, 'b', usable);
    expect(plan.reused.size).toBe(0);
    expect(plan.refusals.get('clone')).toContain('checkpoints: false');
  });

  it('does not believe a phase that was broken off', () => {
    const old = failedAt('b', BUILD, { drop: ['checkpoint.created', 'phase.completed'] });
    expect(planReuse(retryOf(old), old, 'b', usable).refusals.get('clone')).toBe('the phase was broken off');
  });

  it('takes a phase that has no checkpoint of its own as one that changed nothing', () => {
    const old = failedAt('b', BUILD, { drop: ['checkpoint.created'] });
    const plan = planReuse(retryOf(old), old, 'b', usable);
    expect(summary(plan)).toEqual({ tree: null, runFrom: 'b', reused: ['clone', 'install', 'a'] });
    expect(plan.tree).toMatchObject({ ref: null, files: 0 } satisfies Partial<KeptTree>);
  });
});

describe('where a retry begins', () => {
  const old = failedAt('b', BUILD).state;
  it.each([
    ['failed-step', 'b'],
    ['start', 'clone'],
    ['a', 'a'],
    ['tidy', 'tidy'],
  ])('%s', (from, key) => expect(firstStepOf(old, from).key).toBe(key));

  it('at what the cancellation cut off', () => {
    const steps = old.steps.map((step) =>
      step.key === 'a' ? { ...step, status: 'SKIPPED' as const, skipReason: 'CANCELLED' } : step,
    );
    expect(firstStepOf({ ...old, steps }, 'failed-step').key).toBe('a');
  });

  it('at CLEANUP when nothing else is left', () => {
    const steps = old.steps.map((step) => ({ ...step, status: 'COMPLETED' as const }));
    expect(firstStepOf({ ...old, steps }, 'failed-step').key).toBe('tidy');
  });

  it('nowhere for a step that there is not', () => {
    expect(() => firstStepOf(old, 'nonsense')).toThrow(/not "nonsense"; its steps are clone, install, a, b/);
  });
});
