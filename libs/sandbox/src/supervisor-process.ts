import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { exitCodeOf } from './exit-status.js';
import type { OutputPipes } from './output-pipes.js';
import { READY, SCRIPT_FD, STATUS_FD } from './shell-script.js';

/** What a driver starts: the supervising shell, with whatever stands around it. */
export interface Launch {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  /** Contents for the descriptors after the script's, in order. */
  inputs: Buffer[];
}

/** The supervisor says two short lines; whoever got hold of its descriptor does not fill our memory. */
const MAX_STATUS_BYTES = 64;

/** The supervising shell as a child process: its script goes in, its status comes out. */
export class SupervisorProcess {
  readonly pid: number;
  /** The exit code that the supervisor told, or null when it ended without. */
  readonly told: Promise<number | null>;
  /** Its own end. */
  readonly exited: Promise<{ exitCode: number | null }>;
  private status = '';

  /** @throws the error of spawn(2), such as ENOENT */
  static async start(launch: Launch, script: string, pipes: OutputPipes): Promise<SupervisorProcess> {
    const [stdout, stderr] = pipes.writeFds;
    const child = spawn(launch.file, launch.args, {
      cwd: launch.cwd,
      env: launch.env,
      // A session of its own: Ctrl-C in the worker's terminal is the worker's affair.
      detached: true,
      stdio: ['pipe', stdout, stderr, 'pipe', 'pipe', ...launch.inputs.map(() => 'pipe' as const)],
    });
    if (child.pid === undefined) {
      const [error] = (await once(child, 'error')) as [Error];
      throw error;
    }
    const supervisor = new SupervisorProcess(child, child.pid);
    [Buffer.from(script), ...launch.inputs].forEach((input, index) => supervisor.feed(SCRIPT_FD + index, input));
    return supervisor;
  }

  private constructor(
    private readonly child: ChildProcess,
    pid: number,
  ) {
    this.pid = pid;
    child.on('error', () => undefined);
    child.stdin?.on('error', () => undefined);
    this.exited = once(child, 'exit').then(([code, signal]) => ({
      exitCode: exitCodeOf(code as number | null, signal as NodeJS.Signals | null),
    }));
    this.told = Promise.race([this.readStatus(), this.exited.then(() => this.exitCodeTold())]);
  }

  /** True when the shell has come up: what goes wrong before that is the sandbox's fault, not the script's. */
  get ready(): boolean {
    return this.status.startsWith(READY);
  }

  /** Lets the supervisor end. */
  release(): void {
    this.child.stdin?.end();
  }

  /** Closes what is left of the pipes to it. */
  close(): void {
    for (const stream of this.child.stdio) stream?.destroy();
  }

  private feed(fd: number, content: Buffer): void {
    const stream = this.child.stdio[fd];
    if (!(stream instanceof Writable)) return;
    // A script that ends before it is read to its end is no error of ours.
    stream.on('error', () => undefined);
    stream.end(content);
  }

  private exitCodeTold(): number | null {
    const code = this.status.split('\n')[1];
    return code === undefined || code === '' ? null : Number(code);
  }

  private readStatus(): Promise<number | null> {
    const stream = this.child.stdio[STATUS_FD];
    if (!(stream instanceof Readable)) return Promise.resolve(null);
    return new Promise((resolve) => {
      stream.on('error', () => undefined);
      stream.on('data', (bytes: Buffer) => {
        this.status = (this.status + bytes.toString('latin1')).slice(0, MAX_STATUS_BYTES);
        if (this.status.split('\n').length > 2) resolve(this.exitCodeTold());
      });
    });
  }
}
