import { cursorAfter } from './query-reader.js';

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** Reads one item more than asked for: whether there is a next page is known without a second query. */
export async function page<Item>(
  limit: number,
  read: (count: number) => Promise<Item[]>,
  cursorOf: (item: Item) => string | number,
): Promise<Page<Item>> {
  const items = await read(limit + 1);
  if (items.length <= limit) return { items, nextCursor: null };
  const kept = items.slice(0, limit);
  const last = kept.at(-1);
  return { items: kept, nextCursor: last === undefined ? null : cursorAfter(cursorOf(last)) };
}
