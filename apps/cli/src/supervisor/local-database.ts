import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '#config';
import { migrate, namingDatabase, startEmbeddedPostgres, withOwner, type EmbeddedPostgres } from '#database';
import { AppError } from '#kernel';
import { migrateQueueSchema } from '#queue';
import type { SystemLog } from './system-log.js';

/** The database of a system, wherever it is. */
export interface SystemDatabase {
  /** For a person: `embedded PostgreSQL` or the host of DATABASE_URL. */
  description: string;
  ownerUrl: string;
  /** DATABASE_URL of the API, and of the workers. */
  apiUrl: string;
  workerUrl: string;
  /** These processes need the database for as long as they live, even when the supervisor was killed. */
  keepFor(pids: number[]): void;
  stop(): Promise<void>;
}

const WATCH_MS = 1_000;
const GUARD = fileURLToPath(new URL('./postgres-guard.js', import.meta.url));

/**
 * Opens the configured database, or starts the embedded one.
 * @param onLost gets called when the embedded server died and could not be brought back
 * @throws AppError DATABASE_UNAVAILABLE, ALREADY_RUNNING
 */
export async function openDatabase(
  config: Config,
  log: SystemLog,
  onLost: (error: AppError) => void,
): Promise<SystemDatabase> {
  const { url, ownerUrl } = config.database;
  if (url === undefined) return LocalDatabase.start(config.dataDir, log, onLost);
  const connection = ownerUrl ?? url;
  await namingOwner(config, () => withOwner(connection, (client) => client.query('SELECT 1')));
  const { hostname, port, pathname } = new URL(url);
  return {
    description: `PostgreSQL ${pathname.slice(1)} on ${hostname}${port === '' ? '' : `:${port}`}`,
    ownerUrl: connection,
    apiUrl: url,
    workerUrl: url,
    keepFor: () => undefined,
    stop: () => Promise.resolve(),
  };
}

/** Runs the first call on the configured database as its owner; its failure names the setting and the server. */
export function namingOwner<Result>({ database }: Config, call: () => Promise<Result>): Promise<Result> {
  const variable = database.ownerUrl === database.url ? 'DATABASE_URL' : 'DATABASE_OWNER_URL';
  return namingDatabase(variable, database.ownerUrl, call);
}

/** Brings the tables, ours and the queue's, up to date. */
export async function migrateEverything(ownerUrl: string): Promise<string[]> {
  const applied = await migrate(ownerUrl);
  await migrateQueueSchema(ownerUrl);
  return applied;
}

/** The embedded server: started again when it dies, and stopped by a guard process when the supervisor is killed. */
class LocalDatabase implements SystemDatabase {
  readonly description = 'embedded PostgreSQL';
  private readonly watching: NodeJS.Timeout;
  private readonly guard: ChildProcess;
  private stopping = false;

  private constructor(
    private readonly dataDir: string,
    private server: EmbeddedPostgres,
    private readonly log: SystemLog,
    private readonly onLost: (error: AppError) => void,
  ) {
    this.guard = spawn(process.execPath, [GUARD], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], detached: true });
    this.guard.on('error', () => undefined);
    this.guard.unref();
    this.guard.channel?.unref();
    this.tellGuard({ server: server.pid });
    this.watching = setInterval(() => this.watch(), WATCH_MS).unref();
  }

  static async start(dataDir: string, log: SystemLog, onLost: (error: AppError) => void): Promise<LocalDatabase> {
    return new LocalDatabase(dataDir, await startEmbeddedPostgres({ dataDir }), log, onLost);
  }

  get ownerUrl(): string {
    return this.server.ownerUrl;
  }

  get apiUrl(): string {
    return this.server.apiUrl;
  }

  get workerUrl(): string {
    return this.server.workerUrl;
  }

  keepFor(pids: number[]): void {
    this.tellGuard({ users: pids });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.watching);
    await this.server.stop();
    this.guard.kill('SIGKILL');
  }

  private watch(): void {
    if (this.stopping || isAlive(this.server.pid)) return;
    this.stopping = true;
    void this.bringBack();
  }

  private async bringBack(): Promise<void> {
    this.log.say('postgres', 'error', 'ended unexpectedly, starting it again');
    const before = this.server.apiUrl;
    try {
      await this.server.stop();
      this.server = await startEmbeddedPostgres({ dataDir: this.dataDir });
      this.tellGuard({ server: this.server.pid });
      if (this.server.apiUrl !== before)
        throw new AppError('DATABASE_UNAVAILABLE', 'the embedded PostgreSQL came back on another port');
      this.log.say('postgres', 'warn', 'is back');
      this.stopping = false;
    } catch (error) {
      this.onLost(
        error instanceof AppError
          ? error
          : new AppError('DATABASE_UNAVAILABLE', 'the embedded PostgreSQL does not come back', { cause: error }),
      );
    }
  }

  private tellGuard(message: { server: number } | { users: number[] }): void {
    if (this.guard.connected) this.guard.send(message, () => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
