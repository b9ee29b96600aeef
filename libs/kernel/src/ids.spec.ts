import { isId, newId } from './ids.js';

describe('newId', () => {
  const ids = Array.from({ length: 5_000 }, newId);

  it('makes UUIDs of version 7 that begin with the time', () => {
    const before = Date.now();
    const id = newId();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const made = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    expect(made).toBeGreaterThanOrEqual(before - 5);
    expect(made).toBeLessThanOrEqual(Date.now() + 5);
  });

  it('never makes one twice, and sorts them as they were made', () => {
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
  });

  it('takes fresh randomness for each', () => {
    expect(new Set(ids.map((id) => id.slice(-8))).size).toBeGreaterThan(ids.length - 3);
  });
});

describe('isId', () => {
  it.each(['', 'x', '0190-', "' OR 1=1"])('refuses %j', (text) => expect(isId(text)).toBe(false));
});
