const LONGEST_MS = 3_600_000;

/** One timer for the earliest of all times that were named. */
export class Alarm {
  private handle: NodeJS.Timeout | undefined;
  private at = Infinity;
  private stopped = false;

  constructor(private readonly ring: () => void) {}

  /** Rings in so many milliseconds, or before when that was asked for already. */
  within(ms: number): void {
    const at = performance.now() + Math.min(LONGEST_MS, Math.max(0, ms));
    if (this.stopped || this.at <= at) return;
    clearTimeout(this.handle);
    this.at = at;
    this.handle = setTimeout(
      () => {
        this.at = Infinity;
        this.ring();
      },
      Math.ceil(at - performance.now()),
    );
  }

  /** Never rings again. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.handle);
  }
}
