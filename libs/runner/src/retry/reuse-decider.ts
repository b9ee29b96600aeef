import { Logger } from '@nestjs/common';
import { AppError, messageOf } from '#kernel';
import type { CheckpointStore } from '../checkpoints/checkpoint-store.js';
import type { Checkpoints } from '../checkpoints/checkpoints.js';
import { firstFailure } from '../engine/decide.js';
import type { HeldJob } from '../engine/held-job.js';
import type { StepState } from '../state/job-state.js';
import { isCommandThatRan, treeOf, type KeptTree } from './old-job.js';
import type { OldJobs } from './old-jobs.js';
import { planReuse, type ReusedStep, type ReusePlan } from './plan-reuse.js';
import { inputsHashOf } from './step-inputs.js';

/**
 * What becomes of a step of a retry: `reused`: it is over, and recorded so. `runs`, and why it is not reused, if it could have been expected
 * to be. `elsewhere`: its workdir is kept on another host, which has to go on with the job.
 */
export type ReuseDecision = { kind: 'reused' } | { kind: 'runs'; notReused: string | null } | { kind: 'elsewhere' };

const RUNS: ReuseDecision = { kind: 'runs', notReused: null };

/** What is known of one retry while this worker holds it. */
interface Retry {
  plan: ReusePlan;
}

/** Decides, before a step of a retry starts, whether the earlier job has done its work. The first question restores the workdir. */
export class ReuseDecider {
  private readonly logger = new Logger(ReuseDecider.name);
  private readonly retries = new WeakMap<HeldJob, Retry>();

  constructor(
    private readonly jobs: OldJobs,
    private readonly checkpoints: Checkpoints,
    private readonly store: CheckpointStore,
  ) {}

  /** Costs nothing for a job that is no retry. Records `step.skipped` where the step is reused. */
  async decide(job: HeldJob, step: StepState): Promise<ReuseDecision> {
    const { retryOfId } = job.state;
    const begun = step.status !== 'PENDING' || step.attempt > 0;
    if (retryOfId === null || begun || step.phase === 'CLEANUP' || firstFailure(job.state) !== null) return RUNS;
    const retry = this.retries.get(job) ?? (await this.begin(job, retryOfId));
    if (retry === null) return { kind: 'elsewhere' };
    this.retries.set(job, retry);
    const { reused, refusals } = retry.plan;
    const done = reused.get(step.key);
    const notReused = done === undefined ? (refusals.get(step.key) ?? null) : this.whyNotAfterAll(job, step, done);
    if (done === undefined || notReused !== null) return { kind: 'runs', notReused };
    const { outputs, by, inputsHash } = done;
    const payload = { outputs, reusedFrom: by, ...(inputsHash === null ? {} : { inputsHash }) };
    job.record('step.skipped', { reason: 'REUSED', ...payload }, { step });
    return { kind: 'reused' };
  }

  /** The plan guessed what gates and conditions would say; now they have. */
  private whyNotAfterAll({ state }: HeldJob, step: StepState, done: ReusedStep): string | null {
    const other = state.steps.find(isCommandThatRan);
    if (other !== undefined) return `step "${other.key}" before it ran again, and they share the workdir`;
    return inputsHashOf(state, step) === done.inputsHash ? null : 'it is given something else than in the earlier job';
  }

  /** @returns null when the job has to go on with another host */
  private async begin(job: HeldJob, retryOfId: string): Promise<Retry | null> {
    const { workspaceId, id } = job.state;
    const old = await this.jobs.load(retryOfId);
    const from = (await this.jobs.askedFrom(workspaceId, id)) ?? '';
    const restored = await this.restoredTree(job);
    if (restored !== null)
      return {
        plan: planReuse(job.state, old, from, (tree) => (isSame(tree, restored) ? null : 'it was not restored')),
      };

    const ran = job.state.steps.find(isCommandThatRan);
    const unusable = new Map<string | null, string>();
    for (;;) {
      const plan = planReuse(job.state, old, from, (tree) => unusable.get(tree.ref) ?? null);
      if (plan.tree === null || ran !== undefined) return { plan };
      const outcome = await this.restore(job, plan.tree, plan.runFrom);
      if (outcome === 'restored') return { plan };
      if (outcome === 'elsewhere') return null;
      unusable.set(plan.tree.ref, outcome.reason);
    }
  }

  /** The workdir that an earlier claim of this job began with. */
  private async restoredTree({ state }: HeldJob): Promise<KeptTree | null> {
    const facts = await this.jobs.facts(state.workspaceId, state.id);
    const fact = facts.find((one) => one.type === 'checkpoint.restored' && one.payload.jobId !== state.id);
    return fact?.type === 'checkpoint.restored' ? treeOf(fact.payload) : null;
  }

  private async restore(
    job: HeldJob,
    tree: KeptTree,
    runFrom: string | null,
  ): Promise<'restored' | 'elsewhere' | { reason: string }> {
    const host = await this.store.otherHostOf(tree);
    if (host !== null && job.workdir.host === null) {
      job.workdir = { host, kept: false };
      return 'elsewhere';
    }
    try {
      await this.checkpoints.restore(job, tree, runFrom);
      return 'restored';
    } catch (error) {
      if (!(error instanceof AppError))
        this.logger.error(`the workdir of job ${job.id} was not restored: ${messageOf(error)}`);
      const gone = error instanceof AppError && error.code === 'NOT_FOUND';
      return { reason: gone ? 'the checkpoint of its workdir is not kept any more' : messageOf(error) };
    }
  }
}

function isSame(tree: KeptTree, other: KeptTree): boolean {
  return tree.ref === other.ref && tree.treeHash === other.treeHash;
}
