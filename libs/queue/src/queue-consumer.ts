import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { UnrecoverableError } from 'bullmq';
import { AppError, messageOf } from '#kernel';
import { ErrorLog } from './error-log.js';
import { openBackend } from './open-backend.js';
import type { BackedWorker, QueueBackend } from './queue-backend.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueName, QueuePayloads } from './queues.js';

/** How long a worker process waits at its start for the queue's backend. */
const START_TIMEOUT_MS = 5_000;

/** Between two questions whether messages can be followed again. */
const REST_LOOK_MS = 500;

/** What a handler may know of the message that woke it. */
export interface MessageContext {
  queueJobId: string;
}

export type MessageHandler<Name extends QueueName> = (
  payload: QueuePayloads[Name],
  context: MessageContext,
) => Promise<void>;

/**
 * Takes messages from queues and hands them to their handlers. A message may be handed out twice (its first worker was killed or
 * paused too long): handlers claim in PostgreSQL before they act. Errors of the connection are logged, never thrown; after an
 * outage, or after the backend lost everything, work goes on by itself.
 */
export class QueueConsumer {
  private readonly logger = new Logger(QueueConsumer.name);
  private readonly errors = new ErrorLog(this.logger);
  private readonly backend: QueueBackend;
  private readonly workers: BackedWorker[] = [];
  private resting = false;
  private paused = false;

  constructor(connection: QueueConnection) {
    this.backend = openBackend(connection);
  }

  /**
   * Serves a queue from now on. A handler that throws ends its message as failed; nothing repeats it but a new offer.
   * @throws AppError QUEUE_UNAVAILABLE when the backend cannot be reached within 5 s
   */
  async consume<Name extends QueueName>(
    queue: Name,
    options: { concurrency: number },
    handler: MessageHandler<Name>,
  ): Promise<void> {
    // The payload was written by QueueProducer.offer, which saw to its type.
    const worker = this.backend.openWorker(queue, options.concurrency, ({ id, data }) =>
      handle(id ?? '', data as QueuePayloads[Name], handler),
    );
    worker.on('error', (error) => this.errors.say(`queue ${queue}: ${error.message}`));
    worker.on('failed', (job, error) =>
      this.logger.warn(`queue ${queue}: message ${job?.id ?? '?'} failed: ${error.message}`),
    );
    this.workers.push(worker);
    await ready(worker);
    worker.run().catch((error: unknown) => this.errors.say(`queue ${queue} stopped: ${messageOf(error)}`));
  }

  /**
   * Takes no further message until `able` says yes: a worker that cannot follow its messages now leaves them to those that can. What it
   * has fetched already it keeps. A second call while it rests does nothing.
   */
  async rest(able: () => Promise<boolean>): Promise<void> {
    if (this.resting || this.paused) return;
    this.resting = true;
    await Promise.all(this.workers.map((worker) => worker.pause(true)));
    this.logger.warn('taking no messages until they can be followed again');
    do await delay(REST_LOOK_MS);
    while (!this.paused && !(await able().catch(() => false)));
    this.resting = false;
    if (this.paused) return;
    await Promise.all(this.workers.map((worker) => worker.resume()));
    this.logger.log('taking messages again');
  }

  /** Takes no further message. Resolves when the handlers that were running have returned. */
  async pause(): Promise<void> {
    this.paused = true;
    await Promise.all(this.workers.map((worker) => worker.pause()));
  }

  /** Ends all connections, after the running handlers; with `force` without waiting for them. */
  async close(force = false): Promise<void> {
    await Promise.allSettled(this.workers.map((worker) => end(worker, force)));
  }
}

async function handle<Name extends QueueName>(
  queueJobId: string,
  payload: QueuePayloads[Name],
  handler: MessageHandler<Name>,
): Promise<void> {
  try {
    await handler(payload, { queueJobId });
  } catch (error) {
    if (error instanceof AppError && !error.retryable) throw new UnrecoverableError(`${error.code}: ${error.message}`);
    throw error;
  }
}

async function end(worker: BackedWorker, force: boolean): Promise<void> {
  const closed = worker.close(force);
  // A forced close leaves an idle worker's wait for messages behind, whose timer would hold up the end of the process for 20 s.
  // Not awaited: on a connection that was never made it does not return.
  if (force)
    worker
      .getBackend()
      .disconnectBlocking(false)
      .catch(() => undefined);
  await closed;
}

async function ready(worker: BackedWorker): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${START_TIMEOUT_MS} ms`)), START_TIMEOUT_MS);
  });
  try {
    await Promise.race([worker.waitUntilReady(), deadline]);
  } catch (error) {
    throw new AppError('QUEUE_UNAVAILABLE', `the queue does not answer: ${messageOf(error)}`, {
      retryable: true,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
