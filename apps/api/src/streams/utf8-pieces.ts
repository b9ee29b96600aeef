import type { Readable } from 'node:stream';

export interface TextPiece {
  /** Of the first byte, in the stream. */
  offset: number;
  text: string;
}

/** Cuts a stream of UTF-8 bytes into pieces of text, never inside a character. `offset` is where the stream begins. */
export async function* utf8Pieces(bytes: Readable, offset: number): AsyncGenerator<TextPiece, void> {
  let position = offset;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const buffer = Buffer.concat([rest, chunk as Buffer]);
    const end = wholeCharacters(buffer);
    if (end > 0) yield { offset: position, text: buffer.toString('utf8', 0, end) };
    position += end;
    rest = buffer.subarray(end);
  }
  if (rest.length > 0) yield { offset: position, text: rest.toString('utf8') };
}

/** The length of the longest prefix that does not end inside a character. */
function wholeCharacters(buffer: Buffer): number {
  for (let back = 1; back <= Math.min(3, buffer.length); back += 1) {
    const byte = buffer[buffer.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue; // a continuation: the first byte of the character is further left
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? buffer.length - back : buffer.length;
  }
  return buffer.length;
}
