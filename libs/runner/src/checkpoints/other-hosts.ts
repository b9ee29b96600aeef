import { Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import type { Database, Listener } from '#database';
import { ELSEWHERE_CHANNEL } from '../store/channels.js';

export interface OtherHostsOptions {
  host: string;
  /** Jobs that are taken in this way at a time; the others wait their turn. */
  atOnce: number;
  wake: (jobId: string) => Promise<unknown>;
}

/**
 * Hears of jobs that only this host can go on with, because their workdir is here, and whose message on the queue somebody else has taken.
 * All workers of the host hear of them; one of them gets the claim. What is missed is offered again by the reconciler.
 */
export class OtherHosts {
  private readonly logger = new Logger(OtherHosts.name);
  private readonly waiting = new Set<string>();
  private listener: Listener | undefined;
  private running = 0;

  constructor(
    private readonly database: Database,
    private readonly options: OtherHostsOptions,
  ) {}

  async start(): Promise<void> {
    this.listener = await this.database.listen(ELSEWHERE_CHANNEL, (payload) => this.hear(payload));
  }

  async stop(): Promise<void> {
    this.waiting.clear();
    await this.listener?.close();
  }

  private hear(payload: string): void {
    const space = payload.indexOf(' ');
    if (payload.slice(space + 1) !== this.options.host) return;
    this.waiting.add(payload.slice(0, space));
    this.next();
  }

  private next(): void {
    const [jobId] = this.waiting;
    if (jobId === undefined || this.running >= this.options.atOnce) return;
    this.waiting.delete(jobId);
    this.running += 1;
    void this.options
      .wake(jobId)
      .catch((error: unknown) =>
        this.logger.warn(`job ${jobId} was not taken, it is offered again: ${messageOf(error)}`),
      )
      .finally(() => {
        this.running -= 1;
        this.next();
      });
  }
}
