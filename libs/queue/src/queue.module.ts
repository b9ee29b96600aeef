import { Module, type DynamicModule } from '@nestjs/common';
import type { QueueConnection } from './queue-connection.js';
import { QueueProducer } from './queue-producer.js';
import { QueueWorkers } from './queue-workers.js';

/**
 * Gives an application the QueueProducer, and worker processes their QueueWorkers; nothing is dialled before its first use.
 *
 * These are plain classes over BullMQ rather than the framework's own queue module: there the concurrency is fixed in a decorator before the
 * configuration is read, producers and workers share one set of connection options (ours must fail fast in one and be patient in
 * the other), workers start before the boot has proved that every queue has its processor, and the backend is a global of the process.
 */
@Module({})
export class QueueModule {
  static forRoot(connection: QueueConnection): DynamicModule {
    return {
      module: QueueModule,
      global: true,
      providers: [
        { provide: QueueProducer, useFactory: () => new QueueProducer(connection) },
        { provide: QueueWorkers, useFactory: () => new QueueWorkers(connection) },
      ],
      exports: [QueueProducer, QueueWorkers],
    };
  }
}
