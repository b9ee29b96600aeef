import { AppError, messageOf } from '#kernel';
import { onParentExit } from './parent-exit.js';
import type { ProcessLog } from './process-log.js';

/**
 * Runs a process's `main`. What a person can put right ends it with one line on stderr; only a defect of ours shows its stack.
 * @param name in front of that line: `runledger api`
 */
export function runProcess(name: string, main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    const text =
      error instanceof AppError ? `${name}: ${error.message}` : String(error instanceof Error ? error.stack : error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  });
}

/** What a stop gets beyond the grace of what is running, to close its connections. */
const CLOSING_MS = 10_000;

/**
 * Stops the process once, in order, on SIGTERM, on SIGINT, and when the process that started it is gone. Nobody may be left to end it
 * by force, and the servers that it says goodbye to may be gone as well: it ends itself when the stop takes too long.
 */
export function stopInOrder(log: ProcessLog, graceMs: number, stop: () => Promise<void>): void {
  let stopping = false;
  const stopOnce = (why: string): void => {
    if (stopping) return;
    stopping = true;
    log.log(`${why}: stopping`);
    setTimeout(() => {
      log.error('the stop takes too long, ending at once');
      process.exit(1);
    }, graceMs + CLOSING_MS).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(messageOf(error));
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stopOnce('SIGTERM'));
  process.on('SIGINT', () => stopOnce('SIGINT'));
  onParentExit(() => stopOnce('the supervisor is gone'));
}
