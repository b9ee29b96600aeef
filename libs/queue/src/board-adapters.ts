import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { Queue } from 'bullmq';
import type { QueueProducer } from './queue-producer.js';

/**
 * What the queue board shows: every queue of the catalogue, for looking only. Retrying or removing a message there would not
 * change a job, since PostgreSQL is the truth; and an API process has no right to do it.
 */
export function boardAdapters(producer: QueueProducer): BullMQAdapter[] {
  return producer
    .opened()
    .filter((queue) => queue instanceof Queue)
    .map((queue) => new BullMQAdapter(queue, { readOnlyMode: true }));
}
