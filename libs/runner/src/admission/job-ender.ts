import { Logger } from '@nestjs/common';
import { messageOf } from '#kernel';

/** One claim statement takes so many. */
const AT_A_TIME = 200;

/** Lets the engine of this process take jobs that are to end without being run, a bounded number at a time. */
export class JobEnder {
  private readonly logger = new Logger(JobEnder.name);
  private readonly known = new Set<string>();
  private readonly waiting: string[] = [];
  private active = 0;
  private stopped = false;

  /** @param wake lets the engine claim the job and do what is left to do; several may do so for one job */
  constructor(private readonly wake: (jobId: string) => Promise<unknown>) {}

  /** Returns at once. Ids that are under way already are left out. */
  end(jobIds: string[]): void {
    for (const id of jobIds) {
      if (this.known.has(id)) continue;
      this.known.add(id);
      this.waiting.push(id);
    }
    while (!this.stopped && this.active < AT_A_TIME && this.waiting.length > 0) this.next();
  }

  /** Lets nothing more be taken. */
  stop(): void {
    this.stopped = true;
  }

  private next(): void {
    const id = this.waiting.shift();
    if (id === undefined || this.stopped) return;
    this.active += 1;
    void this.wake(id)
      .catch((error: unknown) =>
        this.logger.warn(`job ${id} was not ended, the reconciler tries again: ${messageOf(error)}`),
      )
      .finally(() => {
        this.active -= 1;
        this.known.delete(id);
        this.next();
      });
  }
}
