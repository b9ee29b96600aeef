import { Injectable, Logger } from '@nestjs/common';
import { Database } from '#database';
import { messageOf } from '#kernel';
import { QueueProducer } from '#queue';

export interface PartHealth {
  status: 'ok' | 'unavailable';
  message?: string;
}

export interface Health {
  status: 'ok' | 'unavailable';
  checks: Record<'database' | 'queue', PartHealth>;
}

/** A check that has not answered by now is a failed one: whoever asks has a deadline of their own. */
const DEADLINE_MS = 2_500;

/** Whether this process can do its work. */
@Injectable()
export class HealthChecks {
  constructor(
    private readonly database: Database,
    private readonly queue: QueueProducer,
  ) {}

  async check(): Promise<Health> {
    const [database, queue] = await Promise.all([
      outcome('database', this.database.ping()),
      outcome('queue', this.queue.ping()),
    ]);
    const status = database.status === 'ok' && queue.status === 'ok' ? 'ok' : 'unavailable';
    return { status, checks: { database, queue } };
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
