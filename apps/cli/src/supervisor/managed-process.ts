import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { AppError } from '#kernel';
import type { SystemLog } from './system-log.js';

export interface ProcessPlan {
  /** Short, for the log: `api`, `runner`. */
  name: string;
  /** The compiled script and its arguments. */
  args: string[];
  env: Record<string, string>;
  /** After SIGTERM, before SIGKILL. */
  stopMs: number;
}

/** What a process says of itself on its one line of readiness. */
export type Ready = Record<string, unknown>;

const READY_TIMEOUT_MS = 60_000;
/** A process that lived this long had started well: its next failure is a new story. */
const STEADY_MS = 30_000;
const MOST_QUICK_CRASHES = 5;
const FIRST_PAUSE_MS = 250;

/**
 * A process of the system that is kept running: started again when it dies, with growing pauses, and given up after five crashes
 * in a row. It is in a process group of its own, so that a Ctrl-C in the terminal reaches only the supervisor, which stops all in order.
 */
export class ManagedProcess {
  private child: ChildProcess | null = null;
  private exited: Promise<void> = Promise.resolve();
  private stopping = false;
  private quickCrashes = 0;
  private restartTimer: NodeJS.Timeout | undefined;
  private readonly lastLines: string[] = [];

  constructor(
    private readonly plan: ProcessPlan,
    private readonly log: SystemLog,
    private readonly onGivenUp: (error: AppError) => void,
    private readonly onStarted: () => void,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Starts it for the first time.
   * @returns what it said when it was ready
   * @throws AppError INTERNAL with its last words when it ends before it is ready
   */
  async start(): Promise<Ready> {
    const ready = await this.launch(true);
    this.watch();
    return ready;
  }

  /** SIGTERM, and SIGKILL when it is not gone in time. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.restartTimer);
    const { child } = this;
    if (child === null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.log.say(this.plan.name, 'warn', `did not stop in ${this.plan.stopMs} ms, killing it`);
      child.kill('SIGKILL');
    }, this.plan.stopMs);
    await this.exited;
    clearTimeout(timer);
  }

  /** SIGKILL at once. */
  kill(): void {
    this.stopping = true;
    clearTimeout(this.restartTimer);
    this.child?.kill('SIGKILL');
  }

  /** @param reported true: whoever waits for it tells a person why it did not start */
  private launch(reported: boolean): Promise<Ready> {
    const child = spawn(process.execPath, this.plan.args, {
      env: this.plan.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.child = child;
    this.onStarted();
    this.exited = new Promise((resolve) => child.once('close', () => resolve()));
    // The other end of the channel is `onParentExit`; nothing is sent over it.
    child.on('error', () => undefined);
    return new Promise<Ready>((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
      // Why it cannot start is a sentence of its own, and will be in the error of whoever waits: it is not to be told twice.
      let untold: string[] | null = reported ? [] : null;
      const tell = (line: string): void => {
        if (untold !== null && !line.startsWith('{')) untold.push(line);
        else this.log.forward(this.plan.name, line);
      };
      this.readLines(child.stderr, tell);
      this.readLines(child.stdout, (line) => {
        const ready = parseReady(line);
        if (ready === null) return tell(line);
        clearTimeout(timer);
        untold = null;
        resolve(ready);
      });
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        this.child = null;
        // More than a sentence is the stack of a defect.
        if (untold !== null && untold.length > 1) untold.forEach((line) => this.log.forward(this.plan.name, line));
        reject(
          new AppError(
            'INTERNAL',
            `the ${this.plan.name} process ended before it was ready (${signal ?? `exit code ${code}`})${this.lastWords()}`,
          ),
        );
      });
    });
  }

  private readLines(stream: Readable | null, tell: (line: string) => void): void {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      this.lastLines.push(line);
      if (this.lastLines.length > 20) this.lastLines.shift();
      tell(line);
    });
  }

  private lastWords(): string {
    // Of an uncaught error the sentence, not its stack and Node's signature below it.
    const lines = this.lastLines.map(messageOfLine).filter((line) => !/^(at |Node\.js v|[\^~ ]*$)/.test(line));
    return lines.length === 0 ? '' : `: ${lines.at(-1)}`;
  }

  private watch(): void {
    const startedAt = Date.now();
    this.child?.once('close', (code, signal) => {
      if (this.stopping) return;
      this.quickCrashes = Date.now() - startedAt > STEADY_MS ? 1 : this.quickCrashes + 1;
      const how = signal ?? `exit code ${code}`;
      if (this.quickCrashes >= MOST_QUICK_CRASHES) return this.giveUp(how);
      const pauseMs = FIRST_PAUSE_MS * 2 ** (this.quickCrashes - 1);
      this.log.say(this.plan.name, 'error', `ended unexpectedly (${how}), starting it again in ${pauseMs} ms`);
      this.restartTimer = setTimeout(() => void this.restart(), pauseMs);
    });
  }

  private async restart(): Promise<void> {
    const launched = this.launch(false);
    this.watch();
    // What goes wrong is seen by `watch`, which tries again or gives up.
    const ready = await launched.catch(() => null);
    if (ready !== null) this.log.say(this.plan.name, 'warn', 'is back');
  }

  private giveUp(how: string): void {
    const message = `the ${this.plan.name} process crashed ${this.quickCrashes} times in a row (last: ${how})${this.lastWords()}`;
    this.onGivenUp(new AppError('INTERNAL', message));
  }
}

function parseReady(line: string): Ready | null {
  if (!line.startsWith('{"ready":true')) return null;
  try {
    return JSON.parse(line) as Ready;
  } catch {
    return null;
  }
}

function messageOfLine(line: string): string {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === 'string' ? msg : line;
  } catch {
    return line.trim();
  }
}
