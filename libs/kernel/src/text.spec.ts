import { storableText } from './text.js';

describe('storableText', () => {
  it('leaves ordinary text alone', () => {
    expect(storableText('déjà vu 😀', 100)).toBe('déjà vu 😀');
  });

  it('replaces what PostgreSQL and JSON cannot hold', () => {
    expect(storableText('a\0b\uD800c\uDC00d', 100)).toBe('a\uFFFDb\uFFFDc\uFFFDd');
  });

  it('cuts with an ellipsis and never leaves half a character', () => {
    expect(storableText('abcdef', 4)).toBe('abc…');
    expect(storableText('ab😀def', 4)).toBe('ab\uFFFD…');
    expect(storableText('abcd', 4)).toBe('abcd');
  });
});
