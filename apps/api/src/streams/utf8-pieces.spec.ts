import { Readable } from 'node:stream';
import fc from 'fast-check';
import { utf8Pieces, type TextPiece } from './utf8-pieces.js';

async function piecesOf(buffers: Buffer[], offset = 0): Promise<TextPiece[]> {
  const pieces: TextPiece[] = [];
  for await (const piece of utf8Pieces(Readable.from(buffers), offset)) pieces.push(piece);
  return pieces;
}

describe('cutting bytes into text', () => {
  it('never cuts a character, and offsets count bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(1000),
        async (text, size, offset) => {
          const bytes = Buffer.from(text);
          const buffers: Buffer[] = [];
          for (let at = 0; at < bytes.length; at += size) buffers.push(bytes.subarray(at, at + size));
          let expected = offset;
          let joined = '';
          for (const piece of await piecesOf(buffers, offset)) {
            expect(piece.offset).toBe(expected);
            expected += Buffer.byteLength(piece.text);
            joined += piece.text;
          }
          expect(joined).toBe(Buffer.from(text).toString('utf8'));
        },
      ),
    );
  });

  it('gives a cut character at the end rather than losing it', async () => {
    expect(await piecesOf([Buffer.from([0x61, 0xe2, 0x82])])).toEqual([
      { offset: 0, text: 'a' },
      { offset: 1, text: '\uFFFD' },
    ]);
  });
});
