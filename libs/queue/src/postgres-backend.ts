import {
  Queue,
  Worker,
  createPostgresBackend,
  type JobProgress,
  type PostgresConnectionOptions,
  type PostgresPoolConfig,
  type PostgresQueueBackend,
} from 'bullmq';
import {
  WORKER_SETTINGS,
  type BackedWorker,
  type MessageProcessor,
  type OpenQueue,
  type QueueBackend,
} from './queue-backend.js';
import type { QueueRole } from './queue-connection.js';
import type { OfferState } from './queues.js';

/** The schema of BullMQ's tables, beside ours in the same database. */
export const QUEUE_SCHEMA = 'bullmq';

const DIAL_TIMEOUT_MS = 1_500;
const PRODUCER_CONNECTIONS = 3;
/** These fetch and finish messages, beside the one that listens. More brought no further throughput on 2 cores. */
const WORKER_CONNECTIONS = 4;
/**
 * BullMQ's bulk insert makes two temporary tables, which takes 6 ms whatever it inserts; a single insert takes 0.6 ms. So a few
 * messages go one by one, and a lone job is picked up in 3 ms instead of 11.
 */
const SMALL_BATCH = 15;

/**
 * A crash of the server may lose the queue's last fraction of a second; the queue is only a wake-up, so that is harmless, and
 * nobody waits for the disk: 1,400 instead of 550 messages/s on 2 cores.
 */
const RELAXED = '-c synchronous_commit=off';

/** BullMQ on PostgreSQL. Each queue and each worker has a small pool of its own; a worker listens on one more connection. */
export class PostgresBackend implements QueueBackend {
  constructor(
    private readonly url: string,
    private readonly role: QueueRole,
  ) {}

  openQueue(name: string): OpenQueue {
    const connection = this.pool(PRODUCER_CONNECTIONS, {
      connectionTimeoutMillis: DIAL_TIMEOUT_MS,
      query_timeout: DIAL_TIMEOUT_MS,
    });
    // What a producer would write about the queue at its start is written by the migration: runtime roles need no right to it.
    const queue = new Queue<
      object,
      void,
      string,
      object,
      void,
      string,
      PostgresQueueBackend,
      PostgresConnectionOptions
    >(name, { connection, skipMetasUpdate: true }, createPostgresBackend);
    return {
      queue,
      add: (messages) =>
        messages.length > SMALL_BATCH
          ? queue.addBulk(messages)
          : Promise.all(messages.map(({ name, data, opts }) => queue.add(name, data, opts))),
      // BullMQ's own getter asks for one message at a time.
      states: async (ids) => {
        const { rows } = await queue
          .getBackend()
          .connection.pool.query<{ id: string; state: string }>(
            'SELECT id, state FROM job WHERE queue = $1 AND id = ANY($2)',
            [name, ids],
          );
        return new Map(rows.map((row) => [row.id, offerState(row.state)]));
      },
    };
  }

  openWorker(name: string, concurrency: number, process: MessageProcessor): BackedWorker {
    const connection = this.pool(Math.min(concurrency, WORKER_CONNECTIONS), {
      connectionTimeoutMillis: 10_000,
      query_timeout: 30_000,
    });
    return new Worker<object, void, string, PostgresQueueBackend, JobProgress, PostgresConnectionOptions>(
      name,
      process,
      { ...WORKER_SETTINGS, connection, concurrency },
      createPostgresBackend,
    );
  }

  private pool(max: number, timeouts: { connectionTimeoutMillis: number; query_timeout: number }): PostgresPoolConfig {
    // Startup options in the URL would overrule those beside it, so they are moved there.
    const url = new URL(this.url);
    const options = [url.searchParams.get('options'), `-c role=${this.role}`, RELAXED].filter(Boolean).join(' ');
    url.searchParams.delete('options');
    // idleTimeoutMillis 0: connections are kept, so that a lone message after a pause does not pay for a new one.
    return {
      connectionString: url.href,
      schema: QUEUE_SCHEMA,
      options,
      max,
      keepAlive: true,
      idleTimeoutMillis: 0,
      ...timeouts,
    };
  }
}

function offerState(state: string): OfferState {
  switch (state) {
    case 'active':
      return 'active';
    case 'completed':
    case 'failed':
      return 'finished';
    default:
      return 'waiting';
  }
}
