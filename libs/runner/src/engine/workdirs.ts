import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isId } from '#kernel';
import type { Checkpoints } from '../checkpoints/checkpoints.js';
import type { JobState } from '../state/job-state.js';
import type { HeldJob } from './held-job.js';

/**
 * The folders in which the commands of a job work: one a job, gone when the job is over. The newest one of a job is on the host that its row
 * names; on another host it is made again from the last checkpoint.
 */
export class Workdirs {
  constructor(
    private readonly root: string,
    private readonly host: string,
    private readonly checkpoints: Checkpoints,
  ) {}

  /**
   * The job's folder. It is made for the job's first command; later ones find what the earlier ones left there.
   * @param use `read` by whoever changes nothing in it
   * @throws AppError WORKDIR_MISSING when earlier commands ran on another host and their work was not kept, or the folder was removed
   */
  async open(job: HeldJob, use: 'read' | 'write' = 'write'): Promise<string> {
    const path = join(this.root, job.id);
    const here = job.workdir.host === null || job.workdir.host === this.host;
    if (!here || !(await isDirectory(path))) {
      if (isFresh(job)) await mkdir(path, { recursive: true, mode: 0o700 });
      else await this.checkpoints.moveHere(job);
    }
    // A command may have shut the door behind it.
    if (use === 'write') await chmod(path, 0o700);
    if (use === 'write' || job.workdir.host !== this.host) job.workdir = { host: this.host, kept: false };
    return path;
  }

  /** Removes the folder of a job that is over, if it ever had one. */
  async close(state: JobState): Promise<void> {
    await this.checkpoints.close(state);
    if (state.steps.some((step) => step.type !== 'GATE' && (step.attempt > 0 || step.skipReason === 'REUSED')))
      await this.remove(state.id);
  }

  async remove(jobId: string): Promise<void> {
    await rm(join(this.root, jobId), { recursive: true, force: true, maxRetries: 3 });
  }

  /** The jobs that have a folder here. */
  async jobIds(): Promise<string[]> {
    const names = await readdir(this.root).catch(() => []);
    return names.filter(isId);
  }
}

/** True when nothing was ever in the workdir: no host has one, and no command has ended. */
function isFresh({ workdir, state }: HeldJob): boolean {
  const worked = state.steps.some((step) => step.type === 'COMMAND' && step.attempt > 0 && step.status !== 'RUNNING');
  return workdir.host === null && !worked;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
