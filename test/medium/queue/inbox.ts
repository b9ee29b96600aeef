import type { MessageHandler } from '#queue';

/** A handler that notes what it is given, and that can be told to hold on to it. */
export class Inbox {
  readonly received: { queueJobId: string; jobId: string }[] = [];
  private waiting: { count: number; resolve: () => void }[] = [];
  private gate: Promise<void> | undefined;
  private open: (() => void) | undefined;

  readonly handler: MessageHandler<'runner'> = async ({ jobId }, { queueJobId }) => {
    this.received.push({ queueJobId, jobId });
    this.waiting = this.waiting.filter(({ count, resolve }) => {
      if (this.received.length < count) return true;
      resolve();
      return false;
    });
    await this.gate;
  };

  get ids(): string[] {
    return this.received.map(({ queueJobId }) => queueJobId);
  }

  /** Resolves when this many messages have been received since the beginning. */
  async until(count: number): Promise<void> {
    if (this.received.length >= count) return;
    await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }

  /** Handlers do not return from here on until `release`. */
  hold(): void {
    this.gate = new Promise((resolve) => (this.open = resolve));
  }

  release(): void {
    this.open?.();
    this.gate = undefined;
  }
}
