import type { Duplex } from 'node:stream';
import type { OutputStream } from '../driver.js';

const HEADER_BYTES = 8;
/** The first byte of a header. */
const STREAMS: Record<number, OutputStream> = { 1: 'stdout', 2: 'stderr' };

/**
 * Takes an attached container's output apart: each piece has a header of eight bytes, the stream's number and, in the last four, its
 * length. Reads on only when the taker comes back for more.
 */
export async function* containerOutput(connection: Duplex): AsyncGenerator<{ stream: OutputStream; bytes: Buffer }> {
  let open = Buffer.alloc(0);
  let stream: OutputStream | undefined;
  let missing = 0;
  for await (const chunk of connection) {
    open = Buffer.concat([open, chunk as Buffer]);
    for (;;) {
      if (missing === 0) {
        if (open.length < HEADER_BYTES) break;
        stream = STREAMS[open.readUInt8(0)];
        missing = open.readUInt32BE(4);
        open = open.subarray(HEADER_BYTES);
        continue;
      }
      if (open.length === 0) break;
      const bytes = open.subarray(0, missing);
      open = open.subarray(bytes.length);
      missing -= bytes.length;
      if (stream !== undefined) yield { stream, bytes };
    }
  }
}
