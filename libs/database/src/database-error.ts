import { AppError, messageOf } from '#kernel';
import { systemCode } from './system-code.js';

/** SQLSTATE classes and codes that say "not now", whatever was asked: connection trouble, shutdown, no room. */
const UNAVAILABLE_CLASSES = ['08', '53', '57P'];
const UNAVAILABLE_NODE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** pg and pg-pool report these without a code. */
const UNAVAILABLE_MESSAGES = [
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Client has encountered a connection error',
  'Cannot use a pool after calling end on the pool',
  'Client was closed and is not queryable',
  'Query read timeout',
];
/** What Prisma makes of the same. P1xxx: cannot reach, log in or find; P2024: no free connection; P2028: no transaction in time. */
const UNAVAILABLE_PRISMA_CODES = new Set(['P1000', 'P1001', 'P1002', 'P1008', 'P1011', 'P1017', 'P2024', 'P2037']);

/** What to do when the server turns a new connection away for good. */
const REFUSALS = new Map([
  ['28P01', 'check the user and the password of the database URL'],
  ['28000', 'check the user of the database URL'],
  ['3D000', 'create the database, or name another in the database URL'],
  ['42501', 'let an administrator run: GRANT runledger_api, runledger_worker TO the user of the database URL'],
  ['22023', 'migrate the database first (npm run db:migrate)'],
]);

/**
 * Turns whatever a database call threw into an error that can be reported: connection-class failures become a retryable AppError
 * DATABASE_UNAVAILABLE, a refused connection CONFIG_INVALID with what to do; everything else is returned as it is.
 */
export function toDatabaseError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const advice = isFatal(error) ? REFUSALS.get(systemCode(error) ?? '') : undefined;
  if (advice !== undefined) {
    return new AppError('CONFIG_INVALID', `the database refuses the connection: ${messageOf(error)}; ${advice}`, {
      cause: error,
    });
  }
  if (!isUnavailable(error)) return error;
  return new AppError('DATABASE_UNAVAILABLE', `the database cannot be used at present: ${reasonOf(error)}`, {
    retryable: true,
    cause: error,
  });
}

/** Runs a database call and translates its failure. */
export async function withDatabaseErrors<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/**
 * Runs the first call of a process on a configured database. Its failure names the setting and the server, never a password.
 * @param variable the setting that holds the URL
 */
export async function namingDatabase<Result>(
  variable: string,
  url: string | undefined,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    return await withDatabaseErrors(call);
  } catch (error) {
    if (!(error instanceof AppError) || url === undefined || !URL.canParse(url)) throw error;
    const { hostname, port, searchParams } = new URL(url);
    const host = hostname || searchParams.get('host') || 'localhost';
    const server = `PostgreSQL at ${host}:${port === '' ? '5432' : port}`;
    if (error.code === 'DATABASE_UNAVAILABLE') {
      const message = `${server} does not answer (${reasonOf(error.cause)}): start it, or correct ${variable}`;
      throw new AppError(error.code, message, { retryable: true, cause: error });
    }
    if (error.code !== 'CONFIG_INVALID') throw error;
    throw new AppError(error.code, `${server} (${variable}): ${error.message}`, { cause: error });
  }
}

/** PostgreSQL's severity of an error that ends the connection. */
function isFatal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'severity' in error && error.severity === 'FATAL';
}

function isUnavailable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 4) return false;
  const code = systemCode(error) ?? '';
  if (UNAVAILABLE_NODE_CODES.has(code) || UNAVAILABLE_PRISMA_CODES.has(code)) return true;
  if (/^[0-9A-Z]{5}$/.test(code) && UNAVAILABLE_CLASSES.some((prefix) => code.startsWith(prefix))) return true;
  if (UNAVAILABLE_MESSAGES.some((part) => messageOf(error).includes(part))) return true;
  if (error instanceof AggregateError && error.errors.some((inner) => isUnavailable(inner, depth + 1))) return true;
  return ['cause', 'meta', 'driverAdapterError'].some((key) => isUnavailable(Reflect.get(error, key), depth + 1));
}

/** `connect ECONNREFUSED ::1` hides in an AggregateError whose own message is empty. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
