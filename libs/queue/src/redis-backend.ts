import { Queue, Worker, createRedisBackend, type RedisOptions } from 'bullmq';
import {
  EVENTS_KEPT,
  WORKER_SETTINGS,
  type MessageProcessor,
  type BackedWorker,
  type OpenQueue,
  type QueueBackend,
} from './queue-backend.js';
import type { OfferState } from './queues.js';

const DIAL_TIMEOUT_MS = 1_500;

/** Reconnects at once, then more and more patiently, but never less than once a second: an outage ends within that. */
const retryStrategy = (attempt: number): number => Math.min(attempt * 100, 1_000);

/** BullMQ on Redis or Valkey. */
export class RedisBackend implements QueueBackend {
  private readonly settings: RedisOptions;

  constructor(url: string) {
    this.settings = { url, retryStrategy, connectTimeout: DIAL_TIMEOUT_MS, disconnectTimeout: 200 };
  }

  /** Producers fail fast: nothing is buffered while the server is away, since the database already holds what matters. */
  openQueue(name: string): OpenQueue {
    const connection: RedisOptions = {
      ...this.settings,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: DIAL_TIMEOUT_MS,
    };
    const queue = new Queue<object, void, string>(
      name,
      { connection, streams: { events: { maxLen: EVENTS_KEPT } } },
      createRedisBackend,
    );
    return {
      queue,
      add: (messages) => queue.addBulk(messages),
      // Sent in one go and answered in one go: ioredis writes what is issued in the same turn without waiting in between.
      states: async (ids) => {
        const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
        return new Map(ids.map((id, index) => [id, offerState(states[index])]));
      },
    };
  }

  openWorker(name: string, concurrency: number, process: MessageProcessor): BackedWorker {
    const connection: RedisOptions = { ...this.settings, maxRetriesPerRequest: null };
    return new Worker(name, process, { ...WORKER_SETTINGS, connection, concurrency }, createRedisBackend);
  }
}

function offerState(state: string | undefined): OfferState {
  switch (state) {
    case 'active':
      return 'active';
    case 'completed':
    case 'failed':
      return 'finished';
    case 'unknown':
    case undefined:
      return 'missing';
    default:
      return 'waiting';
  }
}
