import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { AppError, isId } from '#kernel';
import { toDatabaseError, withDatabaseErrors } from './database-error.js';
import { PrismaClient, type Prisma } from './generated/prisma/client.js';
import { NotificationListener, type Listener } from './notification-listener.js';

/** Which of the two runtime roles a process runs as. The API's sees one tenant at a time, the worker's serves all. */
export type DatabaseRole = 'api' | 'worker';

/** A connection inside a transaction. */
export type DatabaseClient = pg.ClientBase;

export interface DatabaseOptions {
  url: string;
  role: DatabaseRole;
  /** The most connections of the pool; one more is used while anybody listens, and one by `queryAside`. */
  poolSize?: number;
  /** Shown in `pg_stat_activity`. */
  applicationName?: string;
  /** The server ends a statement that takes longer. */
  statementTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const REACHABLE_WITHIN_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Beyond the limit of a statement: then nobody is there. */
const SILENCE_MS = 5_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;

/**
 * A named statement keeps the plan that was right when it was first used: for tables that were empty then, a scan of everything, or of
 * everything that a workspace has, until the next ANALYZE. All statements here go by an index that gives just their rows in order, so
 * the other ways are out of the question. (Planning every time instead costs more than a millisecond for the large ones.)
 */
const PLANNING = ['-c enable_seqscan=off', '-c enable_bitmapscan=off'];

/**
 * The database as one of the runtime roles: one pool, used by Prisma and by raw SQL alike. Connection-class failures of its methods
 * are AppError DATABASE_UNAVAILABLE and retryable; code that uses `pool` or `prisma` directly calls `toDatabaseError`.
 */
export class Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  private readonly listener: NotificationListener;
  private readonly newClient: () => pg.Client;
  /** One more connection, for what must not wait behind anything; opened when it is first used. */
  private readonly aside: pg.Pool;
  private closing: Promise<void> | undefined;

  constructor(options: DatabaseOptions) {
    const connection = connectionOptions(options);
    this.pool = new pg.Pool({ ...connection, max: options.poolSize ?? 10 });
    this.aside = new pg.Pool({ ...connection, max: 1 });
    // A connection that breaks is replaced; without these handlers Node would end the process. pg-pool takes its own handler away
    // while a client is lent, so each client has one of ours.
    for (const pool of [this.pool, this.aside]) {
      pool.on('error', () => undefined);
      pool.on('connect', (client) => void client.on('error', () => undefined));
    }
    this.prisma = new PrismaClient({
      adapter: new PrismaPg(this.pool),
      transactionOptions: { maxWait: CONNECT_TIMEOUT_MS, timeout: STATEMENT_TIMEOUT_MS },
    });
    this.newClient = () =>
      new pg.Client({
        ...connection,
        connectionTimeoutMillis: REACHABLE_WITHIN_MS,
        query_timeout: REACHABLE_WITHIN_MS,
      });
    this.listener = new NotificationListener(() => new pg.Client(connection));
  }

  /**
   * Runs SQL as one tenant, in one transaction. Row-level security holds inside it, and only inside it. Opening the transaction and
   * naming the tenant is one round trip.
   * @throws AppError VALIDATION_FAILED when the id is no UUID
   */
  async tenant<Result>(workspaceId: string, run: (client: DatabaseClient) => Promise<Result>): Promise<Result> {
    return this.inTransaction(beginAs(workspaceId), run);
  }

  /** One statement as one tenant, as `tenantQueries`. @returns its rows */
  async tenantQuery<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    workspaceId: string,
    statement: pg.QueryConfig,
  ): Promise<Row[]> {
    const [rows = []] = await this.tenantQueries<[Row]>(workspaceId, [statement]);
    return rows;
  }

  /**
   * Statements that need no answer of each other, as one tenant, in one transaction: with BEGIN and COMMIT they are sent at once, so all of
   * it is a single round trip. The first failure rolls everything back and is thrown.
   * @returns the rows of each
   */
  async tenantQueries<Rows extends pg.QueryResultRow[]>(
    workspaceId: string,
    statements: pg.QueryConfig[],
  ): Promise<{ [Index in keyof Rows]: Rows[Index][] }> {
    const begin = beginAs(workspaceId);
    const client = await withDatabaseErrors(() => this.pool.connect());
    const sent = [client.query(begin), ...statements.map((one) => client.query(one)), client.query('COMMIT')];
    const settled = await Promise.allSettled(sent);
    const failure = settled.find((one) => one.status === 'rejected');
    if (failure !== undefined) {
      const error = toDatabaseError(failure.reason);
      // After a failed statement COMMIT has rolled back; a connection that broke is not given to anybody else.
      client.release(error instanceof AppError);
      throw error;
    }
    client.release();
    const results = settled.slice(1, -1).map((one) => (one.status === 'fulfilled' ? one.value.rows : []));
    return results as { [Index in keyof Rows]: Rows[Index][] };
  }

  /** The same for Prisma's queries. */
  async tenantPrisma<Result>(
    workspaceId: string,
    run: (prisma: Prisma.TransactionClient) => Promise<Result>,
  ): Promise<Result> {
    requireId(workspaceId);
    return withDatabaseErrors(() =>
      this.prisma.$transaction(async (prisma) => {
        await prisma.$executeRaw`SELECT set_config('runledger.workspace_id', ${workspaceId}, true)`;
        return run(prisma);
      }),
    );
  }

  /** Runs SQL in one transaction, without a tenant: the worker sees every row, the API none. */
  transaction<Result>(run: (client: DatabaseClient) => Promise<Result>): Promise<Result> {
    return this.inTransaction('BEGIN', run);
  }

  /**
   * One statement on any connection of the pool, without a tenant. Give it a name to have it planned once per connection.
   * @returns its rows
   */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    statement: string | pg.QueryConfig,
    values?: unknown[],
  ): Promise<Row[]> {
    const config = typeof statement === 'string' ? { text: statement } : statement;
    const result = await withDatabaseErrors(() =>
      this.pool.query<Row>(values === undefined ? config : { ...config, values }),
    );
    return result.rows;
  }

  /** As `query`, on a connection of its own: it does not wait for a place in the pool, nor behind what others are doing there. */
  async queryAside<Row extends pg.QueryResultRow = pg.QueryResultRow>(statement: pg.QueryConfig): Promise<Row[]> {
    return (await withDatabaseErrors(() => this.aside.query<Row>(statement))).rows;
  }

  /**
   * Calls back for every NOTIFY on a channel. All listeners share one connection, which comes back by itself when it is lost; what was
   * sent in between is lost, so `onReconnect` has to look at the tables again.
   */
  listen(channel: string, onPayload: (payload: string) => void, onReconnect?: () => void): Promise<Listener> {
    return withDatabaseErrors(() => this.listener.listen(channel, onPayload, onReconnect));
  }

  /** Whether a new connection can be made and answers within 2 s: what there was before may be dead without knowing it. Never rejects. */
  async isReachable(): Promise<boolean> {
    const client = this.newClient();
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Resolves when the database answers. */
  async ping(): Promise<void> {
    await this.query('SELECT 1');
  }

  /** Ends all connections, after the queries under way. May be called again. */
  close(): Promise<void> {
    this.closing ??= (async () => {
      await this.listener.close();
      await this.prisma.$disconnect();
      await Promise.all([this.pool.end(), this.aside.end()]);
    })();
    return this.closing;
  }

  private async inTransaction<Result>(
    begin: string,
    run: (client: DatabaseClient) => Promise<Result>,
  ): Promise<Result> {
    const client = await withDatabaseErrors(() => this.pool.connect());
    try {
      await client.query(begin);
      const result = await run(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      // A connection that cannot even roll back is not given to anybody else.
      const broken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      client.release(broken);
      throw toDatabaseError(error);
    }
  }
}

/** SET takes no parameters; an id holds nothing but hexadecimal digits and dashes. @throws AppError VALIDATION_FAILED */
function beginAs(workspaceId: string): string {
  requireId(workspaceId);
  return `BEGIN; SET LOCAL runledger.workspace_id = '${workspaceId}'`;
}

function requireId(workspaceId: string): void {
  if (!isId(workspaceId)) throw new AppError('VALIDATION_FAILED', 'the workspace id is not a UUID');
}

/** The role and the timeouts travel as startup options, so that a connection is never without them. */
function connectionOptions(options: DatabaseOptions): pg.ClientConfig {
  const url = new URL(options.url);
  const own = [
    `-c role=runledger_${options.role}`,
    `-c statement_timeout=${options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS}`,
    `-c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_TIMEOUT_MS}`,
    ...PLANNING,
  ];
  const given = url.searchParams.get('options');
  // pg lets the URL win over the object: what the URL says is taken out and put in front of ours.
  url.searchParams.delete('options');
  return {
    connectionString: url.href,
    options: [...(given === null ? [] : [given]), ...own].join(' '),
    application_name: options.applicationName ?? `runledger-${options.role}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // A connection that died without a word (a firewall forgot it, say) answers nothing, not even an error: then the server's own limit
    // has long passed. Without this one a process would wait until TCP gives up, a quarter of an hour later.
    query_timeout: (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + SILENCE_MS,
    keepAlive: true,
    // Lets `tenantQueries` send several statements at once; whoever awaits each of theirs sees no difference.
    pipeline: true,
  };
}
