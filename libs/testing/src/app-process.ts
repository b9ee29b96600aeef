import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The API or a worker, started from the build in `dist` without a supervisor: what happens to it is the test's doing. */
export interface AppProcess {
  pid: number;
  /** What it said on its line of readiness. */
  ready: Record<string, unknown>;
  readonly alive: boolean;
  /** Resolves when it is gone, with how it went. */
  exited: Promise<NodeJS.Signals | number | null>;
  /** Everything that it wrote on standard error so far. */
  log(): string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** SIGTERM; also ends one that is paused. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;

/**
 * Starts it and waits until it is ready. It ends itself when the test's process is gone.
 * @throws Error with its log when it ends instead
 */
export async function startApp(
  app: 'api' | 'worker',
  args: string[],
  env: Record<string, string>,
): Promise<AppProcess> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [`dist/apps/${app}/src/main.js`, ...args], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  const ready = await readyLine(child, exited, () => log);
  const end = async (...signals: NodeJS.Signals[]): Promise<void> => {
    for (const signal of signals) child.kill(signal);
    await exited;
  };
  return {
    ...{ pid: child.pid ?? 0, ready, exited },
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    log: () => log,
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    stop: () => end('SIGTERM', 'SIGCONT'),
  };
}

/** Both processes say on standard output, in one JSON line, that they serve. */
async function readyLine(
  child: ChildProcess,
  exited: Promise<unknown>,
  log: () => string,
): Promise<Record<string, unknown>> {
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
  const line = new Promise<string>((resolve) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', resolve);
  });
  const early = exited.then((how) => {
    throw new Error(`a process ended (${String(how)}) before it was ready:\n${log()}`);
  });
  try {
    return JSON.parse(await Promise.race([line, early])) as Record<string, unknown>;
  } finally {
    clearTimeout(timer);
    early.catch(() => undefined);
  }
}
