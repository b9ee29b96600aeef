import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { ByteRing } from './byte-ring.js';
import { characterStart, withoutTornStart } from './code-points.js';
import type { OutputStream } from './driver.js';

/** A piece of the transcript while it grows: its text and the byte offset at which it stands in the stored transcript. */
export interface TranscriptPiece {
  offset: number;
  text: string;
}

export interface TranscriptOptions {
  /** The most bytes kept of the output: its first and its last half. The mark between them comes on top. */
  maxBytes: number;
  /** Takes the live pieces one after the other; what it throws comes out of `write` or `finish`. */
  onPiece?: (piece: TranscriptPiece) => void | Promise<void>;
  /** Pieces are handed out this long after their first byte came, or sooner when `flushBytes` are waiting. */
  flushMs?: number;
  flushBytes?: number;
}

/** What is stored in the end. */
export interface Transcript {
  /** UTF-8, without NUL. */
  content: Buffer;
  /** Bytes of the whole output as text, whether kept or not. */
  bytes: number;
  storedBytes: number;
  /** Of `content`, lower-case hex. */
  sha256: string;
  truncated: boolean;
}

/** A longer piece is handed out in several. */
const MAX_PIECE_BYTES = 64 * 1024;

/**
 * Records the output of one command in constant memory.
 *
 * Bytes become valid UTF-8 (an invalid sequence and NUL become U+FFFD: PostgreSQL refuses NUL in text). Beyond `maxBytes` the first
 * and the last half are kept with a line between them that says how much is missing. The head is handed out live; the rest follows
 * when the command has ended, because only then is it known what the tail is. All pieces together are the stored transcript.
 */
export class TranscriptRecorder {
  // One decoder each: a character cut in two by the reads of one stream is not torn by what the other wrote meanwhile.
  private readonly decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  private readonly headLimit: number;
  private readonly tail: ByteRing;
  private headBytes = 0;
  private headClosed = false;
  private tailTotal = 0;
  /** What has been handed out: the transcript so far. */
  private readonly stored: Buffer[] = [];
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private handedOut = 0;
  private timer: NodeJS.Timeout | undefined;
  private handingOut: Promise<void> = Promise.resolve();
  private failed: { error: unknown } | undefined;

  constructor(private readonly options: TranscriptOptions) {
    this.headLimit = Math.floor(options.maxBytes / 2);
    this.tail = new ByteRing(options.maxBytes - this.headLimit);
  }

  /** Takes bytes as they were read. Waits while earlier pieces are still being taken by `onPiece`. */
  async write(stream: OutputStream, bytes: Buffer): Promise<void> {
    this.append(this.decoders[stream].write(bytes));
    if (this.pendingBytes >= (this.options.flushBytes ?? 16 * 1024)) await this.flush();
    this.throwIfFailed();
  }

  /** Ends the recording: hands out what is left and returns the transcript. */
  async finish(): Promise<Transcript> {
    this.append(this.decoders.stdout.end() + this.decoders.stderr.end());
    const kept = this.tail.contents();
    // The ring drops whole bytes; what is left of a character at its beginning goes too.
    const tail = this.tailTotal > kept.length ? withoutTornStart(kept) : kept;
    const leftOut = this.tailTotal - tail.length;
    if (leftOut > 0) this.hold(Buffer.from(`\n[... ${leftOut.toLocaleString('en-US')} bytes left out ...]\n`));
    this.hold(tail);
    await this.flush();
    this.throwIfFailed();
    const content = Buffer.concat(this.stored);
    return {
      content,
      bytes: this.headBytes + this.tailTotal,
      storedBytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      truncated: leftOut > 0,
    };
  }

  private append(text: string): void {
    if (text === '') return;
    let bytes = Buffer.from(text.replaceAll('\0', '\uFFFD'));
    if (!this.headClosed) {
      const room = this.headLimit - this.headBytes;
      const cut = bytes.length <= room ? bytes.length : characterStart(bytes, room);
      this.headClosed = cut < bytes.length;
      const first = bytes.subarray(0, cut);
      this.headBytes += first.length;
      this.hold(first);
      bytes = bytes.subarray(cut);
    }
    this.tailTotal += bytes.length;
    this.tail.push(bytes);
  }

  /** Keeps bytes for the next hand-out. */
  private hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.timer ??= setTimeout(() => void this.flush(), this.options.flushMs ?? 100);
  }

  private flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.handingOut = this.handingOut.then(() => this.handOut());
    return this.handingOut;
  }

  /** Never throws: a timer has nobody to catch it. */
  private async handOut(): Promise<void> {
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    this.stored.push(bytes);
    try {
      for (let start = 0; start < bytes.length && this.failed === undefined;) {
        const limit = start + MAX_PIECE_BYTES;
        const end = limit >= bytes.length ? bytes.length : characterStart(bytes, limit);
        const offset = this.handedOut;
        this.handedOut += end - start;
        await this.options.onPiece?.({ offset, text: bytes.toString('utf8', start, end) });
        start = end;
      }
    } catch (error) {
      this.failed ??= { error };
    }
  }

  private throwIfFailed(): void {
    if (this.failed !== undefined) throw this.failed.error;
  }
}
