import type { SandboxResult } from './driver.js';
import type { ProcessTree } from './process-tree.js';

type Failure = NonNullable<SandboxResult['failure']>;

/** Between two looks for processes that were forked while their parent was being asked to end. */
const ORPHANS_MS = 50;

/** Takes a tree of processes down, once, for the first reason that comes up. */
export class Ending {
  readonly signalsSent: string[] = [];
  failure: Failure | null = null;
  private asked = false;
  private killing = false;
  private timer: NodeJS.Timeout | undefined;
  private orphans: NodeJS.Timeout | undefined;

  constructor(private readonly tree: ProcessTree) {}

  get begun(): boolean {
    return this.asked || this.killing;
  }

  /** SIGTERM now and SIGKILL after `graceMs`. */
  terminate(failure: Failure | null, graceMs: number): void {
    if (this.begun) return;
    this.asked = true;
    this.failure ??= failure;
    this.signalsSent.push('SIGTERM');
    this.tree.terminate();
    this.timer = setTimeout(() => this.kill(null), graceMs);
    this.orphans = setInterval(() => this.tree.terminateOrphans(), ORPHANS_MS);
  }

  /** SIGKILL, again and again until nothing is left. */
  kill(failure: Failure | null): void {
    this.failure ??= failure;
    if (this.killing) return;
    this.killing = true;
    this.signalsSent.push('SIGKILL');
    this.close();
    const strike = (): void => {
      this.tree.kill();
      this.timer = setTimeout(strike, 20);
    };
    strike();
  }

  /** To be called when the tree is gone. */
  close(): void {
    clearTimeout(this.timer);
    clearInterval(this.orphans);
  }
}
