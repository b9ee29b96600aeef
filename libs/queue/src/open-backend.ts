import { PostgresBackend } from './postgres-backend.js';
import type { QueueBackend } from './queue-backend.js';
import type { QueueConnection } from './queue-connection.js';
import { RedisBackend } from './redis-backend.js';

/** Nothing is dialled before the first queue or worker is opened. */
export function openBackend(connection: QueueConnection): QueueBackend {
  return connection.backend === 'redis'
    ? new RedisBackend(connection.url)
    : new PostgresBackend(connection.url, connection.role);
}
