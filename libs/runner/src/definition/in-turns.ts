import { setImmediate as nextTurn } from 'node:timers/promises';

/** Nobody else of the process waits for longer than this: a thousand definitions take a good part of a second. */
const TURN_MS = 10;

/** Does something with each item, in their order, and lets others have a turn in between. */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item, index: number) => Result,
): Promise<Result[]> {
  const results: Result[] = [];
  let began = performance.now();
  for (const [index, item] of items.entries()) {
    if (performance.now() - began > TURN_MS) {
      await nextTurn();
      began = performance.now();
    }
    results.push(work(item, index));
  }
  return results;
}
