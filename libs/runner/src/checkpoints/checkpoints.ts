import { Logger } from '@nestjs/common';
import { AppError, messageOf, storableText } from '#kernel';
import type { EventPayloads } from '#ledger';
import type { Phase } from '../definition/definition.js';
import type { HeldJob } from '../engine/held-job.js';
import { EMPTY_TREE, isCommandThatRan, needsCheckpoint, treeOf, type KeptTree } from '../retry/old-job.js';
import type { OldJobs } from '../retry/old-jobs.js';
import type { JobState } from '../state/job-state.js';
import { isTerminalStep } from '../state/step.machine.js';
import type { CheckpointStore } from './checkpoint-store.js';
import { fingerprintOf, walkTree, type Tree } from './walk-tree.js';

export interface CheckpointsOptions {
  /** Where the workdirs are, one folder a job. */
  folderOf: (jobId: string) => string;
  /** A workdir with more than this in it is not kept. */
  maxBytes: number;
}

/** What a workdir held when it was last kept or restored here. */
interface Known {
  /** The claim under which that was. After a claim of somebody else's it may be out of date. */
  epoch: number;
  fingerprint: string;
  treeHash: string;
}

/** Jobs whose workdirs are remembered; of those beyond, the next phase is kept even if it changed nothing. */
const REMEMBERED = 10_000;

/** A tree of more entries is not kept: looking at it takes too long and too much memory. */
const MAX_ENTRIES = 200_000;

/** Named in an event at most. */
const MAX_NAMED = 20;

const LONGEST_MESSAGE = 1_000;

/**
 * Keeps the workdir of a job at the end of each phase that changed it, and makes it again where it is not: for a retry, and for a phase
 * that goes on with another host.
 */
export class Checkpoints {
  private readonly logger = new Logger(Checkpoints.name);
  private readonly known = new Map<string, Known>();

  constructor(
    private readonly store: CheckpointStore,
    private readonly ledgers: OldJobs,
    private readonly options: CheckpointsOptions,
  ) {}

  /**
   * To be called when the steps of a phase are over, before the phase is. Records what it did; never fails the job. Costs nothing where no
   * command ran, a look at the folder where nothing changed, and reading the workdir once where something did.
   */
  async afterPhase(job: HeldJob, phase: Phase): Promise<void> {
    const { state } = job;
    const ran = state.steps.some((step) => step.phase === phase && isCommandThatRan(step));
    if (!ran || phase === 'CLEANUP' || state.definition['checkpoints'] !== true || !needsCheckpoint(state, phase))
      return;
    if (job.workdir.host !== this.store.host) {
      this.recordSkipped(
        job,
        phase,
        'MISSING',
        `the workdir is on host "${job.workdir.host ?? ''}", which is not there any more`,
      );
      return;
    }
    try {
      const kept = await this.keep(job, phase);
      if (kept) job.workdir = { host: this.store.host, kept: this.store.shared };
    } catch (error) {
      if (job.lost.aborted) return;
      if (!(error instanceof AppError))
        this.logger.error(`the workdir of job ${job.id} was not kept: ${messageOf(error)}`);
      const reason = error instanceof AppError && error.code === 'CONFLICT' ? 'CHANGED' : 'STORAGE';
      this.recordSkipped(job, phase, reason, `the workdir could not be kept: ${messageOf(error)}`);
    }
  }

  /**
   * Makes the workdir of a job that is worked on elsewhere, or was: as it was when it was last kept.
   * @throws AppError WORKDIR_MISSING when it was not kept since a step of the present phase worked in it, or cannot be restored
   */
  async moveHere(job: HeldJob): Promise<void> {
    const { id, workspaceId } = job.state;
    const facts = await this.ledgers.facts(workspaceId, id);
    const last = facts.findLast((fact) => fact.type.startsWith('checkpoint.'));
    const unkept = whyNotKept(job);
    if (unkept !== null) throw missing(job, unkept);
    if (last?.type === 'checkpoint.skipped') throw missing(job, last.payload.message);
    const tree =
      last?.type === 'checkpoint.created'
        ? treeOf({ ...last.payload, jobId: id })
        : last?.type === 'checkpoint.restored'
          ? treeOf(last.payload)
          : { ...EMPTY_TREE, jobId: id };
    try {
      await this.restore(job, tree);
    } catch (error) {
      throw missing(job, messageOf(error), error);
    }
  }

  /**
   * Makes the workdir of the job anew, as the tree has it, and records that. @throws AppError as `CheckpointStore.restore`
   * @param runFrom in a retry: the first command that runs again
   */
  async restore(job: HeldJob, tree: KeptTree, runFrom: string | null = null): Promise<void> {
    const folder = this.options.folderOf(job.id);
    await this.store.restore(tree, folder);
    this.remember(job, await walkTree(folder), tree.treeHash);
    job.workdir = { host: this.store.host, kept: this.store.shared };
    job.record('checkpoint.restored', { ...tree, ...(runFrom === null ? {} : { runFrom }) });
  }

  /** To be called for a job that is over. What was kept of one that has completed is removed: nothing can need it. */
  async close(state: JobState): Promise<void> {
    this.known.delete(state.id);
    const kept = state.steps.some((step) => isCommandThatRan(step) && needsCheckpoint(state, step.phase));
    if (kept && state.status === 'COMPLETED') await this.store.forget(state.id);
  }

  /** @returns false when there is none, and an event says why */
  private async keep(job: HeldJob, phase: Phase): Promise<boolean> {
    const folder = this.options.folderOf(job.id);
    const tree = await walkTree(folder);
    const known = this.knownOf(job, phase);
    if (known !== null && known.fingerprint === fingerprintOf(tree)) {
      this.remember(job, tree, known.treeHash);
      return true;
    }
    const tooLarge = this.tooLarge(tree);
    if (tooLarge !== null) {
      this.known.delete(job.id);
      return this.recordSkipped(job, phase, 'TOO_LARGE', tooLarge);
    }
    const stored = await this.store.keep(job.state, phase, folder, tree);
    this.remember(job, tree, stored.treeHash);
    // Touched, but the same: what was kept before is as good.
    if (stored.treeHash === known?.treeHash) await this.store.remove([stored.ref]);
    else this.recordCreated(job, phase, tree, stored);
    return true;
  }

  private recordCreated(
    job: HeldJob,
    phase: Phase,
    { entries, skipped }: Tree,
    stored: Pick<EventPayloads['checkpoint.created'], 'ref' | 'treeHash' | 'sha256' | 'sizeBytes'>,
  ): void {
    const names = skipped.slice(0, MAX_NAMED).map((name) => storableText(name, LONGEST_MESSAGE));
    const { ref, treeHash, sha256, sizeBytes } = stored;
    job.record(
      'checkpoint.created',
      {
        ...{ phase, treeHash, ref, sha256, sizeBytes, files: entries.length },
        ...(names.length === 0 ? {} : { skipped: names }),
      },
      { phase },
    );
  }

  private recordSkipped(
    job: HeldJob,
    phase: Phase,
    reason: EventPayloads['checkpoint.skipped']['reason'],
    message: string,
  ): false {
    job.record('checkpoint.skipped', { phase, reason, message: storableText(message, LONGEST_MESSAGE) }, { phase });
    return false;
  }

  private tooLarge({ entries, sizeBytes }: Tree): string | null {
    const { maxBytes } = this.options;
    const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
    if (sizeBytes > maxBytes)
      return `the workdir has ${megabytes(sizeBytes)}, and at most ${megabytes(maxBytes)} are kept (CHECKPOINT_MAX_MB)`;
    return entries.length > MAX_ENTRIES
      ? `the workdir has ${entries.length} entries, and at most ${MAX_ENTRIES} are kept`
      : null;
  }

  /** What the workdir held before this phase; null when this process does not know. It is empty before the first command. */
  private knownOf({ id, state, epoch }: HeldJob, phase: Phase): Omit<Known, 'epoch'> | null {
    const known = this.known.get(id);
    if (known !== undefined && known.epoch >= epoch - 1) return known;
    const before = state.steps.some((step) => step.phase !== phase && isCommandThatRan(step));
    const restored = state.steps.some((step) => step.skipReason === 'REUSED');
    return before || restored ? null : { fingerprint: NOTHING, treeHash: EMPTY_TREE.treeHash };
  }

  private remember({ id, epoch }: HeldJob, tree: Tree, treeHash: string): void {
    this.known.delete(id);
    this.known.set(id, { epoch, fingerprint: fingerprintOf(tree), treeHash });
    const [oldest] = this.known.keys();
    if (this.known.size > REMEMBERED && oldest !== undefined) this.known.delete(oldest);
  }
}

const NOTHING = fingerprintOf({ entries: [], sizeBytes: 0, skipped: [] });

/** Why the workdir as it is now is in no checkpoint, if it is not. A step that was cut short begins anew with the last one. */
function whyNotKept({ state }: HeldJob): string | null {
  const worked = state.steps.filter((step) => isCommandThatRan(step) && isTerminalStep(step.status));
  if (worked.length > 0 && state.definition['checkpoints'] !== true) return 'it is not kept (checkpoints: false)';
  const since = worked.find((step) => step.phase === state.currentPhase);
  return since === undefined ? null : `step "${since.key}" worked in it after it was last kept`;
}

function missing({ id, workdir }: HeldJob, why: string, cause?: unknown): AppError {
  const host = workdir.host === null ? 'no host that is known' : `host "${workdir.host}"`;
  const help = `start a worker on that host before its jobs are given up, or run the job again: runledger retry ${id}`;
  const message = `the workdir of job ${id} is on ${host}, which is not there any more, and cannot be restored here: ${why}; ${help}`;
  return new AppError('WORKDIR_MISSING', storableText(message, LONGEST_MESSAGE), {
    details: { host: workdir.host },
    cause,
  });
}
