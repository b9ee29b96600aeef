import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { characterStart } from './code-points.js';
import type { OutputStream } from './driver.js';
import { SecretMasker, type MaskedStream } from './masking/secret-masker.js';
import { HeadAndTail, type MarkedBytes } from './transcript-cap.js';
import { StreamIndex, addRun, takeRuns, type StreamRun, type TranscriptStream } from './transcript-streams.js';

/** A piece of the transcript while it grows: its text, who wrote it, and the byte offset at which it stands in the stored transcript. */
export interface TranscriptPiece {
  offset: number;
  text: string;
  /** The bytes of `text` by who wrote them, in order. */
  runs: StreamRun[];
}

export interface TranscriptOptions {
  /** The most bytes kept of the output: its first and its last half. The mark between them comes on top. */
  maxBytes: number;
  /** What must not be in the transcript is taken out before anything else is done with the bytes. */
  masker?: SecretMasker;
  /** Takes the live pieces one after the other; what it throws comes out of `write` or `finish`. */
  onPiece?: (piece: TranscriptPiece) => void | Promise<void>;
  /** Pieces are handed out this long after their first byte came, or sooner when `flushBytes` are waiting. Lines without an end as well. */
  flushMs?: number;
  flushBytes?: number;
}

/** What is stored in the end. */
export interface Transcript {
  /** UTF-8, without NUL. */
  content: Buffer;
  /** Who wrote which bytes of `content`, see `encodeRuns`; null where all of it is standard output. */
  streams: Buffer | null;
  /** Bytes of the whole output as text, whether kept or not. */
  bytes: number;
  storedBytes: number;
  /** Of `content`, lower-case hex. */
  sha256: string;
  truncated: boolean;
}

/** A longer piece is handed out in several. */
const MAX_PIECE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** A line of which the end has not come. */
interface BegunLine {
  parts: Buffer[];
  bytes: number;
  since: number;
}

/** What belongs to one of the streams. */
class Source {
  // A decoder of its own: a character cut in two by the reads of one stream is not torn by what the other wrote meanwhile.
  private readonly decoder = new StringDecoder('utf8');

  constructor(private readonly masked: MaskedStream) {}

  write(bytes: Buffer): string {
    return this.decoder.write(this.masked.write(bytes));
  }

  release(): string {
    return this.decoder.write(this.masked.release());
  }

  end(): string {
    return this.decoder.write(this.masked.end()) + this.decoder.end();
  }
}

/**
 * Records the output of one command in constant memory.
 *
 * Secrets are masked first. Bytes become valid UTF-8 (an invalid sequence and NUL become U+FFFD: PostgreSQL refuses NUL in text). The two
 * streams are put together line by line, in the order in which the lines ended; a line that does not end is put in when it has waited for
 * `flushMs`, or is long. Beyond `maxBytes` the first and the last half are kept with a line between them that says how much is missing. The head
 * is handed out live; the rest follows when the command has ended, because only then is it known what the tail is. All pieces together
 * are the stored transcript.
 */
export class TranscriptRecorder {
  private readonly sources: Record<OutputStream, Source>;
  private readonly kept: HeadAndTail;
  /** In the order of their first bytes. */
  private readonly begun = new Map<OutputStream, BegunLine>();
  /** What has been handed out: the transcript so far. */
  private readonly stored: Buffer[] = [];
  private readonly index = new StreamIndex();
  private pending: Buffer[] = [];
  private pendingRuns: StreamRun[] = [];
  private pendingBytes = 0;
  private handedOut = 0;
  private timer: NodeJS.Timeout | undefined;
  private handingOut: Promise<void> = Promise.resolve();
  private failed: { error: unknown } | undefined;
  private readonly flushMs: number;
  private readonly flushBytes: number;

  constructor(private readonly options: TranscriptOptions) {
    const { masker = new SecretMasker([]), maxBytes, flushMs = 100, flushBytes = 16 * 1024 } = options;
    this.sources = { stdout: new Source(masker.stream()), stderr: new Source(masker.stream()) };
    this.kept = new HeadAndTail(maxBytes);
    this.flushMs = flushMs;
    this.flushBytes = flushBytes;
  }

  /** Takes bytes as they were read. Waits while earlier pieces are still being taken by `onPiece`. */
  async write(stream: OutputStream, bytes: Buffer): Promise<void> {
    this.take(stream, this.sources[stream].write(bytes));
    this.wakeLater();
    if (this.pendingBytes >= this.flushBytes) await this.flush();
    this.throwIfFailed();
  }

  /** Ends the recording: hands out what is left and returns the transcript. */
  async finish(): Promise<Transcript> {
    for (const stream of ['stdout', 'stderr'] as const) this.take(stream, this.sources[stream].end());
    for (const [stream, line] of [...this.begun]) this.put(stream, line);
    clearTimeout(this.timer);
    const { leftOut, tail } = this.kept.rest();
    if (leftOut > 0) this.hold(mark(leftOut));
    for (const part of tail) {
      this.hold(part);
      await this.flush();
    }
    await this.flush();
    this.throwIfFailed();
    const content = Buffer.concat(this.stored);
    return {
      content,
      streams: this.index.end(),
      bytes: this.kept.total,
      storedBytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      truncated: leftOut > 0,
    };
  }

  /** Puts whole lines in, and keeps the beginning of one until more is known. */
  private take(stream: OutputStream, text: string): void {
    if (text === '') return;
    const bytes = Buffer.from(text.replaceAll('\0', '\uFFFD'));
    const line = this.begun.get(stream) ?? { parts: [], bytes: 0, since: performance.now() };
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      line.parts.push(bytes.subarray(0, end));
      this.put(stream, line);
    }
    const rest = bytes.subarray(end);
    if (rest.length === 0) return;
    const begun = end > 0 ? { parts: [], bytes: 0, since: performance.now() } : line;
    begun.parts.push(rest);
    begun.bytes += rest.length;
    if (begun.bytes >= this.flushBytes) this.put(stream, begun);
    else this.begun.set(stream, begun);
  }

  private put(stream: OutputStream, { parts }: BegunLine): void {
    this.begun.delete(stream);
    const head = this.kept.add(stream, parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts));
    this.hold({ bytes: head, runs: [{ stream, bytes: head.length }] });
  }

  /** Keeps bytes for the next hand-out. */
  private hold({ bytes, runs }: MarkedBytes): void {
    if (bytes.length === 0) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    for (const run of runs) addRun(this.pendingRuns, run.stream, run.bytes);
  }

  private wakeLater(): void {
    this.timer ??= setTimeout(() => this.wake(), this.flushMs);
  }

  /** Lets go of what has waited long enough. */
  private wake(): void {
    this.timer = undefined;
    for (const stream of ['stdout', 'stderr'] as const) this.take(stream, this.sources[stream].release());
    const due = performance.now() - this.flushMs + 1;
    for (const [stream, line] of [...this.begun]) if (line.since <= due) this.put(stream, line);
    if (this.pendingBytes > 0) void this.flush();
    if (this.begun.size > 0) this.wakeLater();
  }

  private flush(): Promise<void> {
    this.handingOut = this.handingOut.then(() => this.handOut());
    return this.handingOut;
  }

  /** Never throws: a timer has nobody to catch it. */
  private async handOut(): Promise<void> {
    const bytes = Buffer.concat(this.pending);
    const runs = this.pendingRuns;
    this.pending = [];
    this.pendingRuns = [];
    this.pendingBytes = 0;
    this.stored.push(bytes);
    for (const run of runs) this.index.add(run);
    try {
      for (let start = 0, run = 0; start < bytes.length && this.failed === undefined;) {
        const limit = start + MAX_PIECE_BYTES;
        const end = limit >= bytes.length ? bytes.length : characterStart(bytes, limit);
        const { taken, next } = takeRuns(runs, run, end - start);
        const offset = this.handedOut;
        this.handedOut += end - start;
        await this.options.onPiece?.({ offset, text: bytes.toString('utf8', start, end), runs: taken });
        start = end;
        run = next;
      }
    } catch (error) {
      this.failed ??= { error };
    }
  }

  private throwIfFailed(): void {
    if (this.failed !== undefined) throw this.failed.error;
  }
}

function mark(leftOut: number): MarkedBytes {
  const bytes = Buffer.from(`\n[... ${leftOut.toLocaleString('en-US')} bytes left out ...]\n`);
  const stream: TranscriptStream = 'runner';
  return { bytes, runs: [{ stream, bytes: bytes.length }] };
}
