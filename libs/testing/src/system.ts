import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface StartSystemOptions {
  /** Default: a temporary folder, removed by `stop` and `kill`. */
  dataDir?: string;
  /** On top of this process's environment; undefined takes a variable out. */
  env?: Record<string, string | undefined>;
  /** Further arguments of `runledger start`. */
  args?: string[];
}

/** A whole system in processes of its own, as `npx runledger start --port 0 --data-dir DIR --json` starts it. */
export interface TestSystem {
  url: string;
  workspaceId: string;
  apiKey: string;
  dataDir: string;
  /** Of the supervisor. */
  pid: number;
  /** Everything that it wrote on standard error so far. */
  log(): string;
  /** SIGTERM; resolves with the exit code when it is gone. May be called again. */
  stop(): Promise<number | null>;
  /** SIGKILL to the supervisor alone: what it started has to notice by itself. */
  kill(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;

/** What a developer's shell may hold and a test must not depend on. */
const NEUTRAL = {
  DATABASE_URL: undefined,
  DATABASE_OWNER_URL: undefined,
  REDIS_URL: undefined,
  PORT: undefined,
  HOST: undefined,
  DATA_DIR: undefined,
  LOG_LEVEL: 'warn',
  // Jest's own options must not reach the processes under test.
  NODE_OPTIONS: undefined,
};

/**
 * Starts a system from the build in `dist` and waits until it is ready.
 * @throws Error with its log when it ends instead
 */
export async function startSystem(options: StartSystemOptions = {}): Promise<TestSystem> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'runledger-system-')));
  const cleanUp = async (): Promise<void> => {
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  };
  const args = ['bin/runledger.mjs', 'start', '--port', '0', '--data-dir', dataDir, '--json', ...(options.args ?? [])];
  const env = Object.entries({ ...process.env, ...NEUTRAL, ...options.env }).filter(([, value]) => value !== undefined);
  const child = spawn(process.execPath, args, {
    env: Object.fromEntries(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));

  const ready = await untilReady(child, exited, () => log).catch(async (error: unknown) => {
    child.kill('SIGKILL');
    await exited;
    await cleanUp();
    throw error;
  });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    const code = await exited;
    await cleanUp();
    return code;
  };
  return {
    ...ready,
    dataDir,
    pid: child.pid ?? 0,
    log: () => log,
    stop: () => end('SIGTERM'),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
      if (options.dataDir === undefined) await databaseGone(dataDir);
      await cleanUp();
    },
  };
}

type ReadyLine = Pick<TestSystem, 'url' | 'workspaceId' | 'apiKey'>;

/** The first line on standard output is the only one. */
async function untilReady(child: ChildProcess, exited: Promise<number | null>, log: () => string): Promise<ReadyLine> {
  let timer: NodeJS.Timeout | undefined;
  const line = new Promise<string>((resolve) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', resolve);
  });
  const ended = exited.then((code) =>
    Promise.reject(new Error(`the system ended with ${code} before it was ready:\n${log()}`)),
  );
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the system was not ready in time:\n${log()}`)), READY_TIMEOUT_MS);
  });
  try {
    return JSON.parse(await Promise.race([line, ended, late])) as ReadyLine;
  } finally {
    clearTimeout(timer);
    ended.catch(() => undefined);
  }
}

/** The embedded server stops a moment after the processes that used it; until then it writes into the folder. */
async function databaseGone(dataDir: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (existsSync(join(dataDir, 'postgres/data/postmaster.pid')) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
