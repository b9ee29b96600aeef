import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '#kernel';
import { QueueConsumer, type MessageHandler } from './queue-consumer.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueName } from './queues.js';

/** How long the end of a process waits for handlers that somebody else has told to stop. */
const LAST_GRACE_MS = 2_000;

interface Processor {
  queue: QueueName;
  start(consumer: QueueConsumer): Promise<void>;
}

/**
 * The processors of a worker process. Each registers itself while the application is built; `start` proves that the served queues
 * and the processors match one to one, and only then takes the first message.
 */
export class QueueWorkers implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly processors: Processor[] = [];
  private consumer: QueueConsumer | undefined;

  constructor(private readonly connection: QueueConnection) {}

  /** Says who handles the messages of a queue, and how many at a time. */
  register<Name extends QueueName>(queue: Name, options: { concurrency: number }, handler: MessageHandler<Name>): void {
    this.processors.push({ queue, start: (consumer) => consumer.consume(queue, options, handler) });
  }

  /**
   * Begins to serve.
   * @throws AppError CONFIG_INVALID when a served queue has no processor or several, or a processor's queue is not served;
   *   QUEUE_UNAVAILABLE when the backend cannot be reached
   */
  async start(served: readonly QueueName[]): Promise<void> {
    proveProcessors(
      served,
      this.processors.map((processor) => processor.queue),
    );
    this.consumer = new QueueConsumer(this.connection);
    for (const processor of this.processors) await processor.start(this.consumer);
  }

  /** Takes no further message until `able` says yes, as `QueueConsumer.rest`. */
  async rest(able: () => Promise<boolean>): Promise<void> {
    await this.consumer?.rest(able);
  }

  /** Takes no further message. Resolves when the running handlers have returned. */
  async pause(): Promise<void> {
    await this.consumer?.pause();
  }

  /** No message is taken from here on; whoever runs the work decides how long it may go on. */
  beforeApplicationShutdown(): void {
    void this.pause();
  }

  async onApplicationShutdown(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_GRACE_MS)));
    await Promise.race([this.pause(), grace]);
    clearTimeout(timer);
    await this.consumer?.close(true);
  }
}

/** @throws AppError CONFIG_INVALID that names every queue where the two lists do not match one to one */
export function proveProcessors(served: readonly QueueName[], registered: readonly QueueName[]): void {
  const problems = served
    .map((queue) => ({ queue, count: registered.filter((name) => name === queue).length }))
    .filter(({ count }) => count !== 1)
    .map(
      ({ queue, count }) =>
        `queue "${queue}" is served and has ${count === 0 ? 'no processor' : `${count} processors`}`,
    );
  const idle = [...new Set(registered)].filter((queue) => !served.includes(queue));
  problems.push(...idle.map((queue) => `queue "${queue}" has a processor and is not served`));
  if (problems.length > 0)
    throw new AppError('CONFIG_INVALID', `the worker is put together wrongly: ${problems.join('; ')}`);
}
