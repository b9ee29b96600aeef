import type { IQueueBackend, Queue, Worker } from 'bullmq';
import type { OfferState } from './queues.js';

type AnyQueue = Queue<object, void, string, object, void, string, IQueueBackend>;
type AnyWorker = Worker<object, void, string, IQueueBackend>;

/** A BullMQ queue on either backend. The payload's type is checked one level up, where the queue's name is known. */
export interface BackedQueue extends Pick<AnyQueue, 'getJobCounts' | 'isPaused' | 'waitUntilReady' | 'close'> {
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A message as BullMQ takes it. */
export interface BackedMessage {
  name: string;
  data: object;
  opts: { jobId: string; priority: number };
}

/** A queue and what each backend does in its own way. */
export interface OpenQueue {
  queue: BackedQueue;
  add(messages: BackedMessage[]): Promise<unknown>;
  /** Where each of these messages stands, in few round trips. Ids that are not in the map are missing. */
  states(ids: string[]): Promise<Map<string, OfferState>>;
}

/** A BullMQ worker on either backend. */
export interface BackedWorker extends Pick<
  AnyWorker,
  'waitUntilReady' | 'run' | 'pause' | 'resume' | 'close' | 'getBackend'
> {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'failed', listener: (job: { id?: string | undefined } | undefined, error: Error) => void): unknown;
}

export type MessageProcessor = (message: { id?: string | undefined; data: object }) => Promise<void>;

/** What the producer and the consumer need of a backend. A queue or worker owns its connections and ends them when it is closed. */
export interface QueueBackend {
  openQueue(name: string): OpenQueue;
  openWorker(name: string, concurrency: number, process: MessageProcessor): BackedWorker;
}

/**
 * Worker settings that hold on both backends.
 * - drainDelay: an idle worker is woken by the server; this is only how often it looks all the same (seconds). The default of
 *   5 costs four times as much when idle and brings nothing.
 * - runRetryDelay: pause after a failed fetch. The default of 15 s would leave jobs lying that long after an outage.
 * - stalled messages (their worker died) go back to the queue after lockDuration; the epoch in PostgreSQL fences a second run,
 *   so it is harmless. After maxStalledCount they fail, and the reconciler offers the job under a new id.
 */
export const WORKER_SETTINGS = {
  autorun: false,
  drainDelay: 20,
  runRetryDelay: 500,
  lockDuration: 30_000,
  stalledInterval: 30_000,
  maxStalledCount: 3,
} as const;

/** Messages leave the queue when they are done; the last failed ones stay for the queue board. One attempt: ours are in PostgreSQL. */
export const OFFER_SETTINGS = { attempts: 1, removeOnComplete: true, removeOnFail: { count: 200 } } as const;

/** How many entries of BullMQ's event stream are kept. Nothing of ours reads it. */
export const EVENTS_KEPT = 100;
