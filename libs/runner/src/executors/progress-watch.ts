import type { CommandFile } from './command-file.js';

export interface Progress {
  /** 0 to 100. */
  percent: number;
  message: string | null;
}

const LOOK_EVERY_MS = 500;
/** Only the end of the file is read: the last line counts. */
const MAX_READ_BYTES = 4_096;
const MAX_MESSAGE_LENGTH = 500;

/**
 * The last line that tells a progress: a whole number from 0 to 100, then perhaps a blank and a message. Whatever else is written there
 * is passed over.
 */
export function parseProgress(text: string): Progress | null {
  const lines = text.split('\n').slice(0, -1).reverse();
  for (const line of lines) {
    const [, digits, message] = /^(\d{1,3})%?(?:\s+(.*?))?\s*$/.exec(line) ?? [];
    if (digits === undefined || Number(digits) > 100) continue;
    return { percent: Number(digits), message: message?.slice(0, MAX_MESSAGE_LENGTH) || null };
  }
  return null;
}

/** Looks into the file into which a running command writes how far it is, and tells what has changed. */
export class ProgressWatch {
  private last = '';
  private stopped = false;
  private looking: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout;

  /** @param tell one call at a time; what it throws is passed over */
  constructor(
    private readonly file: CommandFile,
    private readonly tell: (progress: Progress) => void | Promise<void>,
  ) {
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => (this.stopped ? undefined : this.look())).catch(() => undefined);
    }, LOOK_EVERY_MS);
  }

  /** Resolves when nothing is told any more; a last look has told what came in the end. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopped = true;
    await this.looking;
    await this.look().catch(() => undefined);
  }

  private async look(): Promise<void> {
    const found = await this.file.read(MAX_READ_BYTES, 'end');
    const progress = 'text' in found ? parseProgress(found.text) : null;
    const seen = JSON.stringify(progress);
    if (progress === null || seen === this.last) return;
    this.last = seen;
    await this.tell(progress);
  }
}
