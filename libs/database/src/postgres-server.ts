import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#kernel';
import { findPostgresBinaries } from './postgres-binaries.js';
import { launchAs, postgresAccount, type Account } from './postgres-account.js';
import { systemCode } from './system-code.js';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

export interface ServerOptions {
  /** Holds the cluster in `data` and the server's log. */
  folder: string;
  superuser: string;
  /** Used only when the cluster is made. */
  password: string;
  port: number;
  /** PostgreSQL settings, passed on the command line. */
  settings: Record<string, string>;
}

/** A running PostgreSQL server. */
export interface PostgresServer {
  pid: number;
  /** Fast shutdown: connections are ended, everything committed is on disk. Resolves when the server is gone. */
  stop(): Promise<void>;
  /** Sends the same signal without waiting, for a process that is about to exit. */
  abandon(): void;
}

/** Makes the cluster when there is none and starts the server. */
export async function startPostgresServer(options: ServerOptions): Promise<PostgresServer> {
  const account = postgresAccount();
  const binaries = findPostgresBinaries();
  const data = join(options.folder, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(binaries.initdb, options, account);

  const logFile = join(options.folder, 'server.log');
  const log = openSync(logFile, 'w', 0o600);
  const settings = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // A session of its own: Ctrl-C in the terminal must reach Runledger, which stops its own parts before the database.
  const args = ['-D', data, '-p', String(options.port), ...settings];
  const launch = launchAs(account, binaries.postgres, args, options.folder);
  const child = spawn(launch.command, launch.args, {
    ...launch.ids,
    detached: true,
    stdio: ['ignore', log, log],
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
    cwd: '/',
  });
  closeSync(log);
  const pid = await untilReady(child, data, logFile);
  child.unref();
  return {
    pid,
    stop: () => stopServer(pid),
    abandon: () => void signal(pid, 'SIGINT'),
  };
}

function initdbArguments(options: ServerOptions, data: string, passwordFile: string): string[] {
  return [
    ...['-D', data, '-U', options.superuser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'],
  ];
}

/** `initdb` into a folder beside the final one, so that a start that was interrupted leaves nothing half made. */
function initialise(initdb: string, options: ServerOptions, account: Account): void {
  const draft = join(options.folder, `data.${process.pid}.new`);
  const passwordFile = join(options.folder, `password.${process.pid}.${randomBytes(4).toString('hex')}`);
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  if (account.ids.uid !== undefined) {
    for (const path of [draft, passwordFile]) chownSync(path, account.ids.uid, account.ids.gid ?? account.ids.uid);
  }
  try {
    const launch = launchAs(account, initdb, initdbArguments(options, draft, passwordFile), options.folder);
    const result = spawnSync(launch.command, launch.args, {
      ...launch.ids,
      encoding: 'utf8',
      cwd: '/',
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
    });
    if (result.error !== undefined || result.status !== 0) {
      const reason = result.error?.message ?? result.stderr.trim();
      throw new AppError(
        'DATABASE_UNAVAILABLE',
        `the embedded PostgreSQL cannot be set up in ${options.folder}: ${reason}${account.advice}`,
      );
    }
    chmodSync(draft, 0o700);
    renameSync(draft, join(options.folder, 'data'));
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Waits until the server writes `ready` into its pid file, and reports the end of its log when it ends instead. */
async function untilReady(child: ChildProcess, data: string, logFile: string): Promise<number> {
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, reason) => (ended = `it exited with ${code ?? reason}`));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (ended === undefined && Date.now() < deadline) {
    const running = readPidFile(data);
    if (running !== undefined && running.pid === child.pid && running.ready) return running.pid;
    await delay(10);
  }
  if (child.pid !== undefined && ended === undefined) signal(child.pid, 'SIGQUIT');
  const log = existsSync(logFile) ? readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n') : '';
  throw new AppError(
    'DATABASE_UNAVAILABLE',
    `the embedded PostgreSQL did not start: ${ended ?? 'it was not ready in time'}\n${log}`.trim(),
    {
      details: { log },
    },
  );
}

/** What `postmaster.pid` says: line 1 the process, line 8 its state (PostgreSQL: src/include/utils/pidfile.h). */
function readPidFile(data: string): { pid: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 0 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Stops the server that a killed run has left running on this folder. A pid file without its server is left to PostgreSQL, which
 * checks the shared memory too and recovers from a crash by itself.
 */
export async function stopLeftoverServer(folder: string): Promise<void> {
  const data = join(folder, 'data');
  const leftover = readPidFile(data);
  if (leftover === undefined || !isPostgresOn(leftover.pid, data)) return;
  await stopServer(leftover.pid);
}

/** True when the process is a PostgreSQL server on that folder, and not a stranger that was given the same number since. */
function isPostgresOn(pid: number, data: string): boolean {
  if (!signal(pid, 0)) return false;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(data);
  } catch {
    // No /proc (macOS): ps tells the same.
    return spawnSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' }).stdout?.includes(data) ?? false;
  }
}

async function stopServer(pid: number): Promise<void> {
  signal(pid, 'SIGINT');
  let deadline = Date.now() + STOP_TIMEOUT_MS;
  let insisted = false;
  while (signal(pid, 0)) {
    if (Date.now() > deadline) {
      if (insisted) throw new AppError('INTERNAL', `the embedded PostgreSQL (process ${pid}) does not stop`);
      // Immediate shutdown: the next start replays the log. Nothing committed is lost.
      signal(pid, 'SIGQUIT');
      insisted = true;
      deadline = Date.now() + STOP_TIMEOUT_MS;
    }
    await delay(10);
  }
}

/** Sends a signal; false when there is no such process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** A port of 127.0.0.1 that is free now: the wished one when it is. */
export async function freePort(wished?: number): Promise<number> {
  const listen = (port: number): Promise<number | undefined> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(undefined));
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
      });
    });
  const port = (wished === undefined ? undefined : await listen(wished)) ?? (await listen(0));
  if (port === undefined) throw new AppError('PORT_IN_USE', 'no free port on 127.0.0.1');
  return port;
}
