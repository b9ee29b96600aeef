import type { Config } from '#config';
import { AppError } from '#kernel';

/** The role whose rights a process has on the queue's tables; without meaning on Redis. */
export type QueueRole = 'runledger_api' | 'runledger_worker';

/** Where the queue lives and as whom this process uses it. */
export type QueueConnection = { backend: 'redis'; url: string } | { backend: 'postgres'; url: string; role: QueueRole };

/**
 * The one place where the backend is chosen: Redis (or Valkey) when its URL is configured, BullMQ's PostgreSQL backend on the
 * product's own database otherwise.
 * @throws AppError CONFIG_INVALID when neither URL is set
 */
export function queueConnection(config: Pick<Config, 'redisUrl' | 'database'>, role: QueueRole): QueueConnection {
  if (config.redisUrl !== undefined) return { backend: 'redis', url: config.redisUrl };
  if (config.database.url !== undefined) return { backend: 'postgres', url: config.database.url, role };
  throw new AppError('CONFIG_INVALID', 'there is no place for the queue: set DATABASE_URL or REDIS_URL');
}
