import { Injectable, Logger } from '@nestjs/common';
import { messageOf, systemClock, type Clock } from '#kernel';
import { Database } from '#database';
import type { SkipReason } from '#ledger';
import type { JobState } from '../state/job-state.js';
import { forgetSecrets } from '../secrets/job-secrets.js';
import { readCancelReceipt } from '../store/cancel-receipt.js';
import { firstFailure, isExpired, resultOf, stepOfTimeout, timeoutSecondsOf } from './decide.js';
import type { HeldJob } from './held-job.js';
import { throughOutages } from './pause.js';
import type { Workdirs } from './workdirs.js';

/** A job's last word: how it ends, decided from all that is known of it at that moment, and committed with the release of its claim. */
@Injectable()
export class JobEnding {
  private readonly logger = new Logger(JobEnding.name);
  private readonly clock: Clock = systemClock;

  constructor(
    private readonly database: Database,
    private readonly workdirs: Workdirs,
  ) {}

  /** True for a job that will never be started: it was cancelled before, or is too late. */
  endsUnstarted(job: HeldJob): boolean {
    const { startedAt, cancelRequestedAt } = job.state;
    return startedAt === null && (cancelRequestedAt !== null || isExpired(job.state, this.clock.now()));
  }

  /** Ends a job whose steps are all over, or that will never be started. @returns false when the claim was lost */
  async end(job: HeldJob): Promise<boolean> {
    const conclusion = await job.conclude('release', null, async () => {
      await this.recordEnd(job);
      return true;
    });
    if (conclusion === 'written') await this.clearUp(job.state);
    return conclusion === 'written';
  }

  /** Last resort after an error of our own: the job ends instead of coming back for ever. Its steps have been abandoned. */
  async endBroken(job: HeldJob): Promise<boolean> {
    const conclusion = await job.conclude('release', null, () => {
      const message = "an error inside Runledger ended the job; the worker's log has the details";
      job.record('job.failed', { code: 'INTERNAL', message, stepId: null, stepKey: null, result: this.result(job) });
      return true;
    });
    if (conclusion === 'written') await this.clearUp(job.state);
    return conclusion === 'written';
  }

  private async recordEnd(job: HeldJob): Promise<void> {
    if (job.state.cancelRequestedAt !== null) return this.recordCancellation(job);
    if (job.state.startedAt === null) return this.recordExpiry(job);
    const late = stepOfTimeout(job.state);
    const failure = firstFailure(job.state);
    if (late !== null) {
      const message = `the job did not end within ${timeoutSecondsOf(job.state)} s (timeoutSeconds of the job)`;
      job.record('job.failed', {
        ...{ code: 'JOB_TIMEOUT', message, stepId: late.id, stepKey: late.key },
        result: this.result(job),
      });
    } else if (failure !== null) {
      const { id: stepId, key: stepKey, errorCode, errorMessage } = failure;
      const message = `step "${stepKey}": ${errorMessage ?? ''}`;
      job.record('job.failed', { code: errorCode ?? 'INTERNAL', message, stepId, stepKey, result: this.result(job) });
    } else job.record('job.completed', { result: this.result(job) });
  }

  private async recordCancellation(job: HeldJob): Promise<void> {
    this.skipAll(job, 'CANCELLED');
    const receipt = await throughOutages(job.lost, () => readCancelReceipt(this.database, job.state));
    job.record('job.cancelled', { ...receipt, result: this.result(job) });
  }

  private recordExpiry(job: HeldJob): void {
    this.skipAll(job, 'EXPIRED');
    const message = `the job was not started by ${job.state.expiresAt ?? ''} (expiresAt)`;
    job.record('job.failed', { code: 'EXPIRED', message, stepId: null, stepKey: null, result: this.result(job) });
  }

  /** Only a job that was never started has steps left here. */
  private skipAll(job: HeldJob, reason: SkipReason): void {
    for (const step of job.state.steps) if (step.status === 'PENDING') job.record('step.skipped', { reason }, { step });
  }

  private result(job: HeldJob) {
    return resultOf(job.state, this.clock.now());
  }

  private async clearUp(state: JobState): Promise<void> {
    // What stays because the database is away now is swept later.
    await forgetSecrets(this.database, state).catch(() => undefined);
    await this.workdirs
      .close(state)
      .catch((error: unknown) => this.logger.warn(`the workdir of job ${state.id} stays: ${messageOf(error)}`));
  }
}
