import { Bell } from './bell.js';

const LONG_MS = 60_000;

describe('a bell', () => {
  it('wakes its waiter', async () => {
    const bell = new Bell();
    const waiting = bell.wait(LONG_MS, new AbortController().signal);
    bell.ring();
    await waiting;
  });

  it('keeps a ring for who comes later, once', async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    await bell.wait(LONG_MS, new AbortController().signal);
    const stop = new AbortController();
    let over = false;
    const again = bell.wait(LONG_MS, stop.signal).then(() => (over = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    stop.abort();
    await again;
  });

  it('does not wait for anything once the signal is aborted', async () => {
    await new Bell().wait(LONG_MS, AbortSignal.abort());
  });
});
