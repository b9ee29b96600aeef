import { AppError } from './errors.js';

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Shares one costly call among everybody who asks while the previous one is under way. There is no timer: an idle batcher
 * flushes at once, a busy one flushes what has gathered as soon as the previous flush has returned. A flush must be all or
 * nothing: one that failed for another reason than an outage is tried again item by item.
 */
export class Batcher<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private flushing = false;

  /**
   * @param flush takes the gathered items and returns one result for each, in the same order
   * @param maxItems the most items that one flush is given
   */
  constructor(
    private readonly flush: (items: Item[]) => Promise<Result[]>,
    private readonly maxItems = 500,
  ) {}

  /** Resolves with this item's own result, or rejects with what its flush threw. */
  run(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      // A microtask later, so that calls made in the same turn share the first flush too.
      if (!this.flushing) queueMicrotask(() => void this.drain());
    });
  }

  private async drain(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.maxItems);
      await this.settle(batch);
    }
    this.flushing = false;
  }

  private async settle(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.flush(batch.map((entry) => entry.item));
      batch.forEach((entry, index) => entry.resolve(results[index] as Result));
    } catch (error) {
      // One item that the database refuses must not take its neighbours down; an outage would only repeat itself.
      const outage = error instanceof AppError && error.retryable;
      if (batch.length === 1 || outage) batch.forEach((entry) => entry.reject(error));
      else for (const entry of batch) await this.settle([entry]);
    }
  }
}
