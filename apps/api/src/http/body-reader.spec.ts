import { AppError } from '#kernel';
import { BodyReader } from './body-reader.js';

function broken(read: () => void): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof AppError) return error.fields.map(({ field, rule }) => `${field} ${rule}`);
    throw error;
  }
  return [];
}

describe('a body of a few members', () => {
  it('is read by rule; what is absent or null is null', () => {
    const body = new BodyReader({ reason: 'why', count: 3, really: false, nothing: null });
    expect([body.text('reason', 1, 10), body.integer('count', 1, 3), body.boolean('really')]).toEqual([
      'why',
      3,
      false,
    ]);
    expect([body.text('nothing', 1, 10), body.boolean('absent')]).toEqual([null, null]);
    expect([body.has('nothing'), body.has('absent')]).toEqual([true, false]);
    body.done();
  });

  it('is refused with every rule that it breaks', () => {
    const body = new BodyReader({ reason: 'x'.repeat(11), count: 2.5, really: 'yes', typo: 1, zero: 'a\0b' });
    body.text('reason', 1, 10);
    body.text('zero', 1, 10);
    body.integer('count', 1, 3);
    body.boolean('really');
    expect(broken(() => body.done())).toEqual([
      'reason length',
      'zero length',
      'count range',
      'really isBoolean',
      'typo unknown',
    ]);
  });

  it('has to be an object', () => {
    for (const value of [[], 'text', 3, null]) expect(broken(() => new BodyReader(value))).toEqual([' isObject']);
  });

  it('does not take inherited names for members', () => {
    expect(new BodyReader({}).text('constructor', 1, 10)).toBeNull();
  });
});
