import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { AppError, messageOf } from '#kernel';
import { ErrorLog } from './error-log.js';
import { openBackend } from './open-backend.js';
import { OFFER_SETTINGS, type BackedQueue, type OpenQueue, type QueueBackend } from './queue-backend.js';
import type { QueueConnection } from './queue-connection.js';
import { QUEUE_NAMES, type Offer, type OfferState, type QueueName } from './queues.js';

/** No call takes longer than this: a caller would rather hear that the queue is away. The database still knows the job. */
const DEADLINE_MS = 1_800;

/**
 * Puts messages on queues and looks at them. Every method is one or a few round trips and rejects with a retryable
 * QUEUE_UNAVAILABLE within 2 s while the backend is away; the connection comes back by itself.
 */
export class QueueProducer implements OnApplicationShutdown {
  private readonly backend: QueueBackend;
  private readonly queues = new Map<QueueName, OpenQueue>();
  private readonly errors = new ErrorLog(new Logger(QueueProducer.name));

  constructor(connection: QueueConnection) {
    this.backend = openBackend(connection);
  }

  /**
   * Puts all of these on the queue at once. An id that is on the queue already is left as it is. Of equal priority those of an
   * earlier call are taken first; within one call the order may change.
   */
  async offer<Name extends QueueName>(queue: Name, offers: Offer<Name>[]): Promise<void> {
    if (offers.length === 0) return;
    await this.within(queue, (opened) =>
      opened.add(
        offers.map(({ id, payload, priority }) => ({
          name: queue,
          data: payload,
          // BullMQ keeps priority 0 in a plain list that is searched from end to end for a message's state; the others are
          // in a sorted set. So ours begin at 1.
          opts: { ...OFFER_SETTINGS, jobId: id, priority: priority + 1 },
        })),
      ),
    );
  }

  /** Where each of these messages stands; every id is a key of the answer. */
  async states(queue: QueueName, ids: string[]): Promise<Map<string, OfferState>> {
    if (ids.length === 0) return new Map();
    const found = await this.within(queue, (opened) => opened.states(ids));
    return new Map(ids.map((id) => [id, found.get(id) ?? 'missing']));
  }

  /** How many messages wait and how many are being worked on. */
  async depth(queue: QueueName): Promise<{ waiting: number; active: number }> {
    const counts = await this.within(queue, ({ queue: opened }) =>
      opened.getJobCounts('waiting', 'prioritized', 'active'),
    );
    return { waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0), active: counts['active'] ?? 0 };
  }

  /** Resolves when the backend answers and its schema can be read. */
  async ping(): Promise<void> {
    await this.within('runner', ({ queue }) => queue.isPaused());
  }

  /** The BullMQ queues themselves, for the queue board. */
  opened(): BackedQueue[] {
    return QUEUE_NAMES.map((name) => this.open(name).queue);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map(({ queue }) => queue.close()));
    this.queues.clear();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  private async within<Result>(name: QueueName, call: (opened: OpenQueue) => Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.silence()), DEADLINE_MS);
    });
    try {
      return await Promise.race([call(this.open(name)), deadline]);
    } catch (error) {
      throw new AppError('QUEUE_UNAVAILABLE', `the queue does not answer: ${messageOf(error)}`, {
        retryable: true,
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** The connection's own error says more than the time that was waited for it. */
  private silence(): Error {
    return new Error(this.errors.within(DEADLINE_MS) ?? `no answer within ${DEADLINE_MS} ms`);
  }

  private open(name: QueueName): OpenQueue {
    const existing = this.queues.get(name);
    if (existing !== undefined) return existing;
    const opened = this.backend.openQueue(name);
    const { queue } = opened;
    queue.on('error', (error) => this.errors.say(error.message));
    // BullMQ remembers a failed first connection for good: such a queue is thrown away, and the next call makes a new one.
    queue.waitUntilReady().catch(() => {
      if (this.queues.get(name) === opened) this.queues.delete(name);
      void queue.close().catch(() => undefined);
    });
    this.queues.set(name, opened);
    return opened;
  }
}
