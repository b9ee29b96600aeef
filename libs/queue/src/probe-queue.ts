import { Redis } from 'ioredis';
import { AppError, messageOf } from '#kernel';
import type { QueueConnection } from './queue-connection.js';

const DEADLINE_MS = 2_000;

/**
 * Asks once, at the start of a process, whether the configured Redis can be used, and says what to do when not. A queue in the
 * database is as good as the database itself, of which others make sure.
 * @throws AppError QUEUE_UNAVAILABLE when it does not answer within 2 s, CONFIG_INVALID when it turns us away; with its address, never
 *   with its password
 */
export async function probeQueue(connection: Pick<QueueConnection, 'backend' | 'url'>): Promise<void> {
  if (connection.backend !== 'redis') return;
  const redis = new Redis(connection.url, {
    lazyConnect: true,
    connectTimeout: DEADLINE_MS,
    disconnectTimeout: 0,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  // What rejects is "Connection is closed."; why it was closed is told here.
  let reason: unknown;
  redis.on('error', (error) => (reason ??= error));
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${DEADLINE_MS / 1_000} s`)), DEADLINE_MS);
  });
  try {
    await Promise.race([redis.connect().then(() => redis.ping()), silence]);
  } catch (error) {
    throw explained(connection.url, reason ?? error);
  } finally {
    clearTimeout(timer);
    redis.disconnect();
  }
}

function explained(url: string, error: unknown): AppError {
  const { hostname, port } = new URL(url);
  const server = `Redis at ${hostname}:${port === '' ? '6379' : port}`;
  // The server spoke: NOAUTH, WRONGPASS, NOPERM.
  if (error instanceof Error && error.name === 'ReplyError') {
    const reason = error.message.startsWith('NOAUTH') ? 'it asks for a password' : error.message;
    return new AppError('CONFIG_INVALID', `${server} turns us away (${reason}): correct REDIS_URL`, { cause: error });
  }
  return new AppError(
    'QUEUE_UNAVAILABLE',
    `${server} does not answer (${reasonOf(error)}): start it, or unset REDIS_URL to use the PostgreSQL queue`,
    { retryable: true, cause: error },
  );
}

/** A name with several addresses fails with all of their errors in one. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
