import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { messageOf } from '#kernel';
import type { JobStore } from '../store/job.store.js';
import type { HeldJob } from './held-job.js';

/**
 * Keeps the leases of all jobs that this process holds, by one statement for all of them every third of a lease. A job whose lease
 * could not be renewed in time is lost, by this process's own clock: by then somebody else may have it.
 */
@Injectable()
export class LeaseKeeper implements OnApplicationShutdown {
  private readonly logger = new Logger(LeaseKeeper.name);
  private readonly held = new Map<string, { job: HeldJob; goodUntil: number }>();
  private timer: NodeJS.Timeout | undefined;
  private renewing = false;
  private renewedAt = 0;

  constructor(
    private readonly store: JobStore,
    private readonly leaseMs: number,
  ) {}

  /** How many jobs this process holds. */
  get count(): number {
    return this.held.size;
  }

  /** @param claimedAt `performance.now()` from before the claim was sent, so that our clock runs out first */
  hold(job: HeldJob, claimedAt: number): void {
    this.held.set(job.id, { job, goodUntil: claimedAt + this.leaseMs });
    // Answers that have arrived are read first: in a process that was busy for long, timers come before what the network has brought.
    this.timer ??= setInterval(() => void setImmediate(() => this.tick()), this.leaseMs / 6);
  }

  letGo(job: HeldJob): void {
    if (this.held.get(job.id)?.job === job) this.held.delete(job.id);
  }

  /** The job, if this process holds it. */
  find(jobId: string): HeldJob | undefined {
    return this.held.get(jobId)?.job;
  }

  onApplicationShutdown(): void {
    this.rest();
  }

  private tick(): void {
    this.loseExpired();
    if (this.held.size === 0) this.rest();
    else if (!this.renewing && performance.now() - this.renewedAt >= this.leaseMs / 3) void this.renew();
  }

  /** An idle worker asks the database for nothing. */
  private rest(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async renew(): Promise<void> {
    this.renewing = true;
    this.renewedAt = performance.now();
    const jobs = [...this.held.values()].map(({ job }) => job);
    await this.extend(jobs, this.renewedAt).catch((error: unknown) =>
      this.logger.warn(`leases were not renewed: ${messageOf(error)}`),
    );
    this.renewing = false;
  }

  private async extend(jobs: HeldJob[], sentAt: number): Promise<void> {
    const renewed = await this.store.renew(jobs.map((job) => ({ id: job.id, epoch: job.epoch })));
    for (const job of jobs) {
      const entry = this.held.get(job.id);
      if (entry?.job !== job || job.released) continue;
      const lease = renewed.get(job.id);
      if (lease === undefined) this.giveUp(job);
      else entry.goodUntil = sentAt + this.leaseMs;
      // The broadcast may have been missed.
      if (lease?.cancelling === true) job.cancel();
    }
  }

  private loseExpired(): void {
    for (const { job, goodUntil } of this.held.values()) if (performance.now() > goodUntil) this.giveUp(job);
  }

  private giveUp(job: HeldJob): void {
    this.logger.warn(`lost the claim on job ${job.id}`);
    this.letGo(job);
    job.lose();
  }
}
