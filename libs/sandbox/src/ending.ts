import type { SandboxResult } from './driver.js';

type Failure = NonNullable<SandboxResult['failure']>;

/** Between two looks for processes that were forked while their parent was being asked to end. */
const ORPHANS_MS = 50;

/** The processes of a run, as far as ending them goes. */
export interface Endable {
  /** Asks all of them to end. */
  terminate(): void;
  /** Asks those that came too late to be asked and that nobody else will. */
  terminateOrphans(): void;
  /** Ends all of them, to be repeated until none is left. */
  kill(): void;
}

/** Takes a tree of processes down, once, for the first reason that comes up. */
export class Ending {
  readonly signalsSent: string[] = [];
  failure: Failure | null = null;
  private asked = false;
  private killing = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private orphans: NodeJS.Timeout | undefined;

  constructor(private readonly tree: Endable) {}

  get begun(): boolean {
    return this.asked || this.killing;
  }

  /** SIGTERM now and SIGKILL after `graceMs`. */
  terminate(failure: Failure | null, graceMs: number): void {
    if (this.begun || this.closed) return;
    this.asked = true;
    this.failure ??= failure;
    this.signalsSent.push('SIGTERM');
    this.tree.terminate();
    this.timer = setTimeout(() => this.kill(null), graceMs);
    this.orphans = setInterval(() => attempt(() => this.tree.terminateOrphans()), ORPHANS_MS);
  }

  /** SIGKILL, again and again until nothing is left. */
  kill(failure: Failure | null): void {
    this.failure ??= failure;
    if (this.killing || this.closed) return;
    this.killing = true;
    this.signalsSent.push('SIGKILL');
    this.disarm();
    const strike = (): void => {
      attempt(() => this.tree.kill());
      this.timer = setTimeout(strike, 20);
    };
    strike();
  }

  /** To be called when the tree is gone: from now on there is nothing to end, only a reason to tell. */
  close(): void {
    this.closed = true;
    this.disarm();
  }

  private disarm(): void {
    clearTimeout(this.timer);
    clearInterval(this.orphans);
  }
}

/** Out of descriptors, say, the processes cannot be listed; it is done again a moment later, and must not end the worker. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // See above.
  }
}
