import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { KEY_BYTES, openSealed, seal } from './sealed-box.js';

const key = randomBytes(KEY_BYTES);
const UNREADABLE = expect.objectContaining({ code: 'SECRET_UNREADABLE' });

describe('a sealed box', () => {
  it('opens to what was sealed, with the same key for the same identity', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).map((text) => text.replace(/\p{Surrogate}/gu, '?')),
        fc.array(fc.string()),
        (text, identity) => {
          expect(openSealed(key, seal(key, text, identity), identity)).toBe(text);
        },
      ),
    );
  });

  it('opens neither with another key nor for another identity', () => {
    const sealed = seal(key, 'secret', ['a', 'b']);
    expect(() => openSealed(randomBytes(KEY_BYTES), sealed, ['a', 'b'])).toThrow(UNREADABLE);
    for (const identity of [['a'], ['a', 'c'], ['ab'], ['b', 'a'], []])
      expect(() => openSealed(key, sealed, identity)).toThrow(UNREADABLE);
  });

  it('opens nothing that was changed or cut', () => {
    const sealed = seal(key, 'secret', []);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => openSealed(key, changed, [])).toThrow(UNREADABLE);
      expect(() => openSealed(key, sealed.subarray(0, at), [])).toThrow(UNREADABLE);
    }
  });

  it('never gives the same bytes twice', () => {
    expect(seal(key, 'secret', []).equals(seal(key, 'secret', []))).toBe(false);
  });
});
