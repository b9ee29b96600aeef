import { hasProc } from './process-table.js';

/** What is to be looked at again and again. */
export interface Watched {
  /** @returns true when it grows, and should be looked at again soon */
  look(): boolean;
}

/** Between two rounds; `ps` is a process of its own and costs more. */
const INTERVAL_MS = hasProc ? 100 : 500;
/** A tree that grows is looked at more often: a fork bomb doubles within milliseconds, and then leaves us no time to look. */
const HURRIED_MS = INTERVAL_MS / 5;
/** A round rests this many times as long as it took: however many commands run, a fifth of the time goes into looking at them. */
const REST = 4;
/** For those that grow it is half of the time: looking must not become rare just because there are many processes to see. */
const HURRIED_REST = 1;

/** One ticker for all commands of this process, so that one reading of /proc serves them all. */
class LookRounds {
  private readonly watched = new Set<Watched>();
  private readonly growing = new Set<Watched>();
  private timer: NodeJS.Timeout | undefined;
  private nextRoundAt = 0;

  join(watched: Watched): void {
    this.watched.add(watched);
    if (this.timer !== undefined) return;
    this.nextRoundAt = performance.now() + INTERVAL_MS;
    this.schedule(INTERVAL_MS);
  }

  leave(watched: Watched): void {
    this.watched.delete(watched);
    this.growing.delete(watched);
    if (this.watched.size > 0) return;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private schedule(delayMs: number): void {
    this.timer = setTimeout(() => this.round(), delayMs);
  }

  private round(): void {
    const began = performance.now();
    // A timer may be early by a fraction of a millisecond.
    const whole = began >= this.nextRoundAt - 1;
    for (const watched of [...(whole ? this.watched : this.growing)]) this.look(watched);
    const now = performance.now();
    if (whole) this.nextRoundAt = now + Math.max(INTERVAL_MS, (now - began) * REST);
    if (this.watched.size === 0) return;
    const untilRound = this.nextRoundAt - now;
    const untilHurried = Math.max(HURRIED_MS, (now - began) * HURRIED_REST);
    this.schedule(this.growing.size > 0 ? Math.min(untilRound, untilHurried) : untilRound);
  }

  private look(watched: Watched): void {
    try {
      if (watched.look() && this.watched.has(watched)) this.growing.add(watched);
      else this.growing.delete(watched);
    } catch {
      // Out of descriptors, say. The next round may see more; the end of a command is proven elsewhere.
    }
  }
}

export const lookRounds = new LookRounds();
