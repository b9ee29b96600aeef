import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { claimFolder } from './folder-claim.js';
import { withOwner } from './owner-client.js';
import { freePort, startPostgresServer, stopLeftoverServer } from './postgres-server.js';

export interface EmbeddedPostgresOptions {
  /** The server's files are kept in its subfolder `postgres`. */
  dataDir: string;
  /** Preferred port; otherwise the one of the last start, otherwise any free one. */
  port?: number;
  /** False: fast and unsafe, for tests whose data may be lost. */
  durable?: boolean;
  maxConnections?: number;
}

export interface EmbeddedPostgres {
  /** For migrations and provisioning. */
  ownerUrl: string;
  /** Logs in as the API's role. */
  apiUrl: string;
  /** Logs in as the worker's role. */
  workerUrl: string;
  /** The server's process. */
  pid: number;
  /** Stops the server and gives the folder free. Resolves when the server is gone; may be called again. */
  stop(): Promise<void>;
}

const OWNER = 'runledger_owner';
const API = 'runledger_api';
const WORKER = 'runledger_worker';
const DATABASE = 'runledger';

/** What a folder remembers between starts. */
interface Settings {
  passwords: { owner: string; api: string; worker: string };
  port?: number;
}

/**
 * Starts the PostgreSQL server that comes with the installation, on 127.0.0.1 only, with an empty database and logins for the two
 * runtime roles. Quick to call again: an existing cluster is only started. After a crash of Runledger, the server that was left
 * behind is stopped and started anew.
 * @throws AppError ALREADY_RUNNING when a living process serves this folder; DATABASE_UNAVAILABLE with the server's log when it does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = join(options.dataDir, 'postgres');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  letServerPass(options.dataDir, folder);
  const claim = claimFolder(folder);
  try {
    const remembered = readSettings(folder);
    // First, because it holds the port that this folder's addresses name.
    await stopLeftoverServer(folder);
    const port = await freePort(options.port ?? remembered.port);
    writeSettings(folder, { ...remembered, port });
    const server = await startPostgresServer({
      folder,
      superuser: OWNER,
      password: remembered.passwords.owner,
      port,
      settings: serverSettings(options),
    });
    const onExit = (): void => server.abandon();
    process.once('exit', onExit);
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> =>
      (stopping ??= server.stop().finally(() => {
        process.off('exit', onExit);
        claim.release();
      }));
    try {
      const url = (user: string, password: string, database = DATABASE): string =>
        `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
      const { passwords } = remembered;
      await provision(url(OWNER, passwords.owner, 'postgres'), passwords);
      return {
        ownerUrl: url(OWNER, passwords.owner),
        apiUrl: url(API, passwords.api),
        workerUrl: url(WORKER, passwords.worker),
        pid: server.pid,
        stop,
      };
    } catch (error) {
      await stop();
      throw error;
    }
  } catch (error) {
    claim.release();
    throw error;
  }
}

/**
 * Where the owner of a folder's embedded database connects while the server runs; whether it does is seen by trying.
 * @returns null when the folder never had a server
 */
export function embeddedOwnerUrl(dataDir: string): string | null {
  const folder = join(dataDir, 'postgres');
  if (!existsSync(join(folder, 'settings.json'))) return null;
  const { passwords, port } = readSettings(folder);
  return port === undefined ? null : `postgres://${OWNER}:${passwords.owner}@127.0.0.1:${port}/${DATABASE}`;
}

/** As root, the server runs as another user (see postgres-account), who has to pass through our folders without reading them. */
function letServerPass(...folders: string[]): void {
  if (process.getuid?.() !== 0) return;
  for (const folder of folders) chmodSync(folder, statSync(folder).mode | 0o011);
}

/** A small durable server: what is committed is on disk. */
function serverSettings({ durable = true, maxConnections = 100 }: EmbeddedPostgresOptions): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    // No socket file: sandboxed steps must find no way to the database, and long data paths must not break it.
    unix_socket_directories: '',
    max_connections: String(maxConnections),
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    // For solid state disks: an index is worth it.
    random_page_cost: '1.1',
    // One server, no replicas: the smallest log that still survives a crash.
    wal_level: 'minimal',
    max_wal_senders: '0',
    timezone: 'UTC',
    log_timezone: 'UTC',
    jit: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' }),
  };
}

/** The database and the logins, made when they are missing. */
async function provision(adminUrl: string, passwords: Settings['passwords']): Promise<void> {
  await withOwner(adminUrl, async (client) => {
    const databases = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (databases.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    const roles = await client.query<{ name: string; login: boolean }>(
      'SELECT rolname AS name, rolcanlogin AS login FROM pg_roles',
    );
    for (const [name, password] of [
      [API, passwords.api],
      [WORKER, passwords.worker],
    ] as const) {
      const role = roles.rows.find((row) => row.name === name);
      if (role?.login) continue;
      await client.query(
        `${role === undefined ? 'CREATE' : 'ALTER'} ROLE ${name} LOGIN PASSWORD ${pg.escapeLiteral(password)}`,
      );
    }
  });
}

function readSettings(folder: string): Settings {
  const path = join(folder, 'settings.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Settings;
  const password = (): string => randomBytes(24).toString('base64url');
  return { passwords: { owner: password(), api: password(), worker: password() } };
}

/** Written beside and renamed, so that the passwords are never half there. */
function writeSettings(folder: string, settings: Settings): void {
  const path = join(folder, 'settings.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
