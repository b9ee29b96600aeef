import type { Logger } from '@nestjs/common';

const REPEAT_MS = 30_000;

/** Logs what went wrong with a connection, but one and the same message only once in 30 s: an outage repeats it many times a second. */
export class ErrorLog {
  private readonly last = new Map<string, number>();
  private latest: { message: string; at: number } | null = null;

  constructor(private readonly logger: Logger) {}

  say(message: string): void {
    const now = Date.now();
    this.latest = { message, at: now };
    if (now - (this.last.get(message) ?? 0) < REPEAT_MS) return;
    if (this.last.size >= 100) this.last.clear();
    this.last.set(message, now);
    this.logger.warn(message);
  }

  /** What went wrong in the last `ageMs`, for whoever knows only that no answer came in that time. */
  within(ageMs: number): string | null {
    return this.latest !== null && Date.now() - this.latest.at <= ageMs ? this.latest.message : null;
  }
}
