import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { migrate, rollback, startEmbeddedPostgres, withOwner, type EmbeddedPostgres } from '#database';
import { launchAs, postgresAccount } from '../../../libs/database/src/postgres-account.js';
import { findPostgresBinaries } from '../../../libs/database/src/postgres-binaries.js';

let dataDir: string;
const running = new Set<EmbeddedPostgres>();

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'runledger-embedded-'));
});

afterEach(async () => {
  await Promise.all([...running].map((server) => server.stop()));
  running.clear();
  rmSync(dataDir, { recursive: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir });
  running.add(server);
  return server;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const ask = async (url: string, sql: string): Promise<unknown[]> =>
  withOwner(url, async (client) => (await client.query(sql)).rows);

it('starts, keeps what is committed, and has the same addresses after a restart', async () => {
  const first = await start();
  await migrate(first.ownerUrl);
  await ask(first.ownerUrl, "INSERT INTO workspaces (id, name, slug) VALUES (gen_random_uuid(), 'Kept', 'kept')");
  const { ownerUrl, apiUrl, workerUrl } = first;
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  await expect(ask(ownerUrl, 'SELECT 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });

  const second = await start();
  expect(second).toMatchObject({ ownerUrl, apiUrl, workerUrl });
  expect(await ask(workerUrl, 'SELECT name, current_user AS who FROM workspaces')).toEqual([
    { name: 'Kept', who: 'runledger_worker' },
  ]);
  expect(await ask(apiUrl, 'SELECT session_user AS who')).toEqual([{ who: 'runledger_api' }]);
});

it('starts below a folder that nobody else may enter', async () => {
  const server = await startEmbeddedPostgres({ dataDir: join(dataDir, 'closed', 'data') });
  running.add(server);
  expect(statSync(join(dataDir)).mode & 0o077).toBe(0);
  expect(await ask(server.apiUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

const asRoot = process.getuid?.() === 0 ? it : it.skip;

asRoot('starts from programs below a folder that only root may enter', () => {
  const closed = join(dataDir, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const initdb = join(closed, 'bin', 'initdb');
  cpSync(dirname(dirname(findPostgresBinaries().initdb)), closed, { recursive: true });
  const account = postgresAccount();
  const data = join(closed, 'data');
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, account.ids.uid ?? 0, account.ids.gid ?? 0);
  const launch = launchAs(account, initdb, ['-D', data, '--auth=trust'], closed);
  const made = spawnSync(launch.command, launch.args, { ...launch.ids, cwd: '/', encoding: 'utf8' });
  expect([made.status, made.stderr.includes('Permission denied')]).toEqual([0, false]);
});

it('is a durable server on the loopback address only, with passwords that nobody else can read', async () => {
  const server = await start();
  const settings =
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'unix_socket_directories') ORDER BY 1";
  expect(await ask(server.ownerUrl, settings)).toEqual([
    { name: 'fsync', setting: 'on' },
    { name: 'full_page_writes', setting: 'on' },
    { name: 'listen_addresses', setting: '127.0.0.1' },
    { name: 'synchronous_commit', setting: 'on' },
    { name: 'unix_socket_directories', setting: '' },
  ]);
  expect(statSync(join(dataDir, 'postgres/settings.json')).mode & 0o777).toBe(0o600);
  expect(statSync(join(dataDir, 'postgres/data')).mode & 0o077).toBe(0);
  const guessed = new URL(server.ownerUrl);
  guessed.password = 'guess';
  await expect(ask(guessed.href, 'SELECT 1')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    retryable: false,
    cause: { code: '28P01' },
  });
});

it('refuses a second start over the same folder, and names the process', async () => {
  const server = await start();
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject({
    code: 'ALREADY_RUNNING',
    message: expect.stringContaining(String(process.pid)),
    details: { pid: process.pid },
  });
  expect(await ask(server.ownerUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  await server.stop();
  expect(existsSync(join(dataDir, 'postgres/runledger.pid'))).toBe(false);
  await start();
});

it('lets only one of several starts at once have the folder', async () => {
  const results = await Promise.allSettled([start(), start(), start()]);
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
});

it('starts after the server itself was killed, with everything that was committed', async () => {
  const server = await start();
  await ask(server.ownerUrl, 'CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n');
  process.kill(server.pid, 'SIGKILL');
  await server.stop();
  const again = await start();
  expect(await ask(again.ownerUrl, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 1000 }]);
});

it('starts after Runledger was killed, stopping the server that was left behind', async () => {
  const killed = await startInProcess(dataDir);
  await ask(killed.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS n');
  const ended = new Promise((resolve) => killed.child.once('exit', resolve));
  killed.child.kill('SIGKILL');
  await ended;
  expect(isAlive(killed.pid)).toBe(true);

  const again = await start();
  expect(isAlive(killed.pid)).toBe(false);
  expect(again.ownerUrl).toBe(killed.ownerUrl);
  expect(await ask(again.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
});

it('refuses a folder that another living process serves', async () => {
  const other = await startInProcess(dataDir);
  const ended = new Promise((resolve) => other.child.once('exit', resolve));
  try {
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject({
      code: 'ALREADY_RUNNING',
      details: { pid: other.child.pid },
    });
  } finally {
    // An exit without stop() takes the server along.
    other.child.kill('SIGTERM');
    await ended;
  }
  await start();
  expect(isAlive(other.pid)).toBe(false);
});

it('reports what the server said when it cannot start', async () => {
  const server = await start();
  await server.stop();
  rmSync(join(dataDir, 'postgres/data/global/pg_control'));
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringContaining('pg_control'),
  });
  expect(existsSync(join(dataDir, 'postgres/runledger.pid'))).toBe(false);
});

it('drops the roles with the last database that used them, and makes them again', async () => {
  const server = await start();
  const roles = (): Promise<unknown[]> =>
    ask(
      server.ownerUrl,
      "SELECT rolname FROM pg_roles WHERE rolname IN ('runledger_api', 'runledger_worker') ORDER BY 1",
    );
  await migrate(server.ownerUrl);
  expect(await roles()).toHaveLength(2);
  await rollback(server.ownerUrl, { to: '' });
  expect(await roles()).toEqual([]);
  await migrate(server.ownerUrl);
  await server.stop();
  // Logging in was lost with the roles; the next start gives it back.
  const again = await start();
  expect(await ask(again.apiUrl, 'SELECT FROM runner_jobs')).toEqual([]);
});

/** The server as another process has it, which can be killed. */
async function startInProcess(folder: string): Promise<{ child: ChildProcess; pid: number; ownerUrl: string }> {
  const script = join(import.meta.dirname, 'start-embedded.mjs');
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('exit', () =>
      reject(new Error(`the process ended: ${readFileSync(join(folder, 'postgres/server.log'), 'utf8')}`)),
    );
  });
  return { child, ...(JSON.parse(line) as { pid: number; ownerUrl: string }) };
}
