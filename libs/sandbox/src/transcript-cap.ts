import { ByteRing } from './byte-ring.js';
import { characterStart, withoutTornStart } from './code-points.js';
import { addRun, type StreamRun, type TranscriptStream } from './transcript-streams.js';

const PART_BYTES = 64 * 1024;

/** Bytes, and who wrote which of them. */
export interface MarkedBytes {
  bytes: Buffer;
  runs: StreamRun[];
}

/** Keeps the first and the last half of so many bytes: the first go straight through, the last stay here until the end is known. */
export class HeadAndTail {
  private readonly headLimit: number;
  private readonly tail: ByteRing;
  /** For each byte of the tail, who wrote it. */
  private readonly writers: ByteRing;
  private headBytes = 0;
  private headClosed = false;
  private tailTotal = 0;

  constructor(maxBytes: number) {
    this.headLimit = Math.floor(maxBytes / 2);
    this.tail = new ByteRing(maxBytes - this.headLimit);
    this.writers = new ByteRing(maxBytes - this.headLimit);
  }

  /** All bytes that were added. */
  get total(): number {
    return this.headBytes + this.tailTotal;
  }

  /** Takes whole characters of UTF-8. @returns those that belong to the head */
  add(stream: 'stdout' | 'stderr', bytes: Buffer): Buffer {
    const head = this.headPart(bytes);
    this.headBytes += head.length;
    const rest = bytes.subarray(head.length);
    this.tailTotal += rest.length;
    this.tail.push(rest);
    this.writers.push(Buffer.alloc(rest.length, stream === 'stdout' ? 0 : 1));
    return head;
  }

  /** What comes after the head: how much is missing, and the tail in parts of a bounded size. */
  rest(): { leftOut: number; tail: Generator<MarkedBytes> } {
    const kept = this.tail.contents();
    // The ring drops whole bytes; what is left of a character at its beginning goes too.
    const bytes = this.tailTotal > kept.length ? withoutTornStart(kept) : kept;
    const writers = this.writers.contents().subarray(kept.length - bytes.length);
    return { leftOut: this.tailTotal - bytes.length, tail: parts(bytes, writers) };
  }

  private headPart(bytes: Buffer): Buffer {
    if (this.headClosed) return bytes.subarray(0, 0);
    const room = this.headLimit - this.headBytes;
    if (bytes.length <= room) return bytes;
    this.headClosed = true;
    return bytes.subarray(0, characterStart(bytes, room));
  }
}

/** Ends of parts are ends of characters. */
function* parts(bytes: Buffer, writers: Buffer): Generator<MarkedBytes> {
  for (let start = 0; start < bytes.length;) {
    const limit = start + PART_BYTES;
    const end = limit >= bytes.length ? bytes.length : characterStart(bytes, limit);
    yield { bytes: bytes.subarray(start, end), runs: runsOf(writers.subarray(start, end)) };
    start = end;
  }
}

function runsOf(writers: Buffer): StreamRun[] {
  const runs: StreamRun[] = [];
  for (let start = 0; start < writers.length;) {
    const writer = writers[start];
    const found = writers.indexOf(writer === 0 ? 1 : 0, start);
    const end = found < 0 ? writers.length : found;
    const stream: TranscriptStream = writer === 0 ? 'stdout' : 'stderr';
    addRun(runs, stream, end - start);
    start = end;
  }
  return runs;
}
