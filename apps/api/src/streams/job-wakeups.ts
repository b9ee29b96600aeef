import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Database } from '#database';
import { Bell } from './bell.js';

const CHANNEL = 'runledger_events';

/**
 * Tells followers that their job has something new, from one LISTEN connection for the whole process. A wake-up is only ever a hint:
 * when the connection was lost and is back, everybody is woken, and followers look by themselves now and then.
 */
@Injectable()
export class JobWakeups implements OnModuleInit, OnApplicationShutdown {
  private readonly bells = new Map<string, Set<Bell>>();
  private listener: { close(): Promise<void> } | null = null;

  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    this.listener = await this.database.listen(
      CHANNEL,
      (payload) => this.wake(payload.split(',')),
      () => this.wake([...this.bells.keys()]),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.listener?.close();
  }

  /** A bell that rings for this job until it is given back. */
  subscribe(jobId: string): { bell: Bell; unsubscribe: () => void } {
    const bell = new Bell();
    const bells = this.bells.get(jobId) ?? new Set();
    this.bells.set(jobId, bells.add(bell));
    return {
      bell,
      unsubscribe: () => {
        bells.delete(bell);
        if (bells.size === 0 && this.bells.get(jobId) === bells) this.bells.delete(jobId);
      },
    };
  }

  /** How many followers there are; for the metrics, and to see that none is left behind. */
  get followers(): number {
    return [...this.bells.values()].reduce((sum, bells) => sum + bells.size, 0);
  }

  private wake(jobIds: string[]): void {
    for (const jobId of jobIds) this.bells.get(jobId)?.forEach((bell) => bell.ring());
  }
}
