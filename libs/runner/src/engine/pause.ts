import { AppError } from '#kernel';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** Resolves after `ms` milliseconds, or as soon as one of the signals is aborted. */
export function pause(ms: number, ...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal.addEventListener('abort', done);
    if (signals.some((signal) => signal.aborted)) done();
  });
}

/** The pause that follows a pause of `ms`, when something is tried again until it works. The first is that after 0. */
export function longerPause(ms: number): number {
  return Math.min(LONGEST_PAUSE_MS, ms * 2 || FIRST_PAUSE_MS);
}

/** Reads something although the database may be away for a while. @throws what is not retryable, and the reason of `lost` */
export async function throughOutages<Result>(lost: AbortSignal, read: () => Promise<Result>): Promise<Result> {
  for (let pauseMs = 0; ;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof AppError && error.retryable)) throw error;
      lost.throwIfAborted();
      pauseMs = longerPause(pauseMs);
      await pause(pauseMs, lost);
    }
  }
}
