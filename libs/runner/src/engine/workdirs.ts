import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppError, isId } from '#kernel';
import type { JobState } from '../state/job-state.js';

/** The folders in which the commands of a job work: one a job, on the host that runs it, gone when the job is over. */
export class Workdirs {
  constructor(private readonly root: string) {}

  /**
   * The job's folder. It is made for the job's first command; later ones need what the earlier ones left there.
   * @throws AppError WORKDIR_MISSING when an earlier command ran elsewhere, or its folder was removed
   */
  async open(state: JobState): Promise<string> {
    const path = join(this.root, state.id);
    if (!state.steps.some((step) => step.type === 'COMMAND' && step.attempt > 0 && step.status !== 'RUNNING'))
      await mkdir(path, { recursive: true, mode: 0o700 });
    else if (!(await isDirectory(path))) {
      throw new AppError(
        'WORKDIR_MISSING',
        `the workdir of job ${state.id} is not on this host (${hostname()}): earlier steps ran on another host, or it was removed; let workers share DATA_DIR, or run them on one host`,
      );
    }
    return path;
  }

  /** Removes the folder of a job that is over, if it ever had one. */
  async close(state: JobState): Promise<void> {
    if (state.steps.some((step) => step.type !== 'GATE' && step.attempt > 0)) await this.remove(state.id);
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

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
