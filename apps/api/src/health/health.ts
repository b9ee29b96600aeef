import { Injectable, Logger } from '@nestjs/common';
import { Database } from '#database';
import { messageOf } from '#kernel';
import { QueueProducer } from '#queue';
import { JobCounts } from '#runner';

export interface PartHealth {
  status: 'ok' | 'unavailable';
  message?: string;
}

export interface Health {
  status: 'ok' | 'unavailable';
  checks: Record<'database' | 'queue' | 'workers', PartHealth>;
}

/** A check that has not answered by now is a failed one: whoever asks has a deadline of their own. */
const DEADLINE_MS = 2_500;

/** What the check of the workers says; the others have the words of whoever did not answer. */
const STANDING_STILL = 'jobs wait and nothing starts them: see that workers run and reach the queue';

/** Whether this process can do its work, and whether anybody does the work that it accepts. */
@Injectable()
export class HealthChecks {
  constructor(
    private readonly database: Database,
    private readonly queue: QueueProducer,
    private readonly jobs: JobCounts,
    private readonly stalledAfterMs: number,
  ) {}

  async check(): Promise<Health> {
    const [database, queue, workers] = await Promise.all([
      outcome('database', this.database.ping()),
      outcome('queue', this.queue.ping()),
      this.workers(),
    ]);
    const status = [database, queue, workers].every((part) => part.status === 'ok') ? 'ok' : 'unavailable';
    return { status, checks: { database, queue, workers } };
  }

  /** A database that cannot be asked is the database's failure, not the workers'. */
  private async workers(): Promise<PartHealth> {
    if (!(await this.jobs.standStill(this.stalledAfterMs).catch(() => false))) return { status: 'ok' };
    logger.warn(STANDING_STILL);
    return { status: 'unavailable', message: STANDING_STILL };
  }
}

const logger = new Logger(HealthChecks.name);

async function outcome(part: string, check: Promise<void>): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    await Promise.race([check, deadline]);
    return { status: 'ok' };
  } catch (error) {
    // Anybody may ask for the health: hosts and ports are for the log.
    logger.warn(`the ${part} does not answer: ${messageOf(error)}`);
    return { status: 'unavailable', message: `the ${part} does not answer; the log of this process says more` };
  } finally {
    clearTimeout(timer);
  }
}
