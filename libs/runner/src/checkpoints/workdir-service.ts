import { Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import type { CheckpointSweep } from './checkpoint-sweep.js';
import type { OtherHosts } from './other-hosts.js';

const SWEEP_EVERY_MS = 60_000;

/** What a worker process does about workdirs beside running jobs: it hears of jobs that only its host can go on with, and removes old checkpoints. */
export class WorkdirService {
  private readonly logger = new Logger(WorkdirService.name);
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly otherHosts: OtherHosts,
    private readonly sweep: CheckpointSweep,
  ) {}

  async start(): Promise<void> {
    await this.otherHosts.start();
    const sweep = (): void => {
      this.sweeping = this.sweepQuietly();
    };
    this.timer = setInterval(sweep, SWEEP_EVERY_MS);
    sweep();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.otherHosts.stop();
    await this.sweeping;
  }

  private async sweepQuietly(): Promise<void> {
    await this.sweep
      .sweep()
      .catch((error: unknown) => this.logger.warn(`old checkpoints stay for now: ${messageOf(error)}`));
  }
}
