import { Batcher } from './batcher.js';
import { AppError } from './errors.js';

/** A flush that waits until it is let go, and remembers what it was given. */
function gatedFlush() {
  const seen: number[][] = [];
  const gates: (() => void)[] = [];
  const flush = async (items: number[]): Promise<number[]> => {
    seen.push(items);
    await new Promise<void>((resolve) => gates.push(resolve));
    return items.map((item) => item * 10);
  };
  return { seen, gates, flush };
}

describe('Batcher', () => {
  it('gathers what comes while a flush is under way, and answers each with its own result', async () => {
    const { seen, gates, flush } = gatedFlush();
    const batcher = new Batcher(flush);
    const first = batcher.run(1);
    await Promise.resolve();
    const later = [2, 3, 4].map((item) => batcher.run(item));
    gates.shift()?.();
    await expect(first).resolves.toBe(10);
    gates.shift()?.();
    await expect(Promise.all(later)).resolves.toEqual([20, 30, 40]);
    expect(seen).toEqual([[1], [2, 3, 4]]);
  });

  it('shares the first flush among calls of the same turn', async () => {
    const seen: number[][] = [];
    const batcher = new Batcher(async (items: number[]) => {
      seen.push(items);
      return items;
    });
    await Promise.all([batcher.run(1), batcher.run(2)]);
    expect(seen).toEqual([[1, 2]]);
  });

  it('never gives a flush more than its maximum', async () => {
    const sizes: number[] = [];
    const batcher = new Batcher(async (items: number[]) => {
      sizes.push(items.length);
      return items;
    }, 3);
    await Promise.all([1, 2, 3, 4, 5, 6, 7].map((item) => batcher.run(item)));
    expect(sizes).toEqual([3, 3, 1]);
  });

  it('lets one refused item fail alone', async () => {
    const batcher = new Batcher(async (items: number[]) => {
      if (items.includes(2)) throw new Error('refused');
      return items;
    });
    const settled = await Promise.allSettled([1, 2, 3].map((item) => batcher.run(item)));
    expect(settled.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('does not repeat an outage item by item', async () => {
    let calls = 0;
    const batcher = new Batcher(async (): Promise<number[]> => {
      calls += 1;
      throw new AppError('DATABASE_UNAVAILABLE', 'away', { retryable: true });
    });
    const settled = await Promise.allSettled([1, 2, 3].map((item) => batcher.run(item)));
    expect(settled.every((result) => result.status === 'rejected')).toBe(true);
    expect(calls).toBe(1);
  });

  it('goes on after a failure', async () => {
    let broken = true;
    const batcher = new Batcher(async (items: number[]) => {
      if (broken) throw new Error('once');
      return items;
    });
    await expect(batcher.run(1)).rejects.toThrow('once');
    broken = false;
    await expect(batcher.run(2)).resolves.toBe(2);
  });
});
