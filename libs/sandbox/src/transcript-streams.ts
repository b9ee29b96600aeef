import type { OutputStream } from './driver.js';

/** Who wrote a part of a transcript. `runner`: the line that says how much is missing between the head and the tail. */
export type TranscriptStream = OutputStream | 'runner';
export const TRANSCRIPT_STREAMS = ['stdout', 'stderr', 'runner'] as const satisfies TranscriptStream[];

/** So many bytes in a row of one stream. */
export interface StreamRun {
  stream: TranscriptStream;
  bytes: number;
}

const LETTERS = { stdout: 'o', stderr: 'e', runner: 'r' } as const satisfies Record<TranscriptStream, string>;

/** As the index of a transcript says it: `o120 e34 o7` is 120 bytes of standard output, 34 of standard error, 7 of standard output. */
export function encodeRuns(runs: readonly StreamRun[]): string {
  return runs.map(({ stream, bytes }) => LETTERS[stream] + bytes).join(' ');
}

/** The runs of an index, one after the other: it may be as long as its transcript. */
export function* decodeRuns(index: string): Generator<StreamRun, void> {
  for (const [, letter, bytes] of index.matchAll(/([oer])(\d+)/g)) {
    const stream = TRANSCRIPT_STREAMS.find((name) => LETTERS[name] === letter);
    if (stream !== undefined) yield { stream, bytes: Number(bytes) };
  }
}

/** Adds bytes at the end, to the last run where it is of the same stream. */
export function addRun(runs: StreamRun[], stream: TranscriptStream, bytes: number): void {
  if (bytes === 0) return;
  const last = runs.at(-1);
  if (last?.stream === stream) last.bytes += bytes;
  else runs.push({ stream, bytes });
}

/** Takes the runs of the first `bytes` bytes off a list that starts at `from`. @returns them, and where the list goes on */
export function takeRuns(runs: StreamRun[], from: number, bytes: number): { taken: StreamRun[]; next: number } {
  const taken: StreamRun[] = [];
  let next = from;
  for (let left = bytes; left > 0;) {
    const run = runs[next];
    if (run === undefined) throw new Error('there are more bytes than their runs say');
    const part = Math.min(left, run.bytes);
    addRun(taken, run.stream, part);
    left -= part;
    run.bytes -= part;
    if (run.bytes === 0) next += 1;
  }
  return { taken, next };
}

/** Of an output that changes its stream about a million times, the rest counts as one run: its index must not be larger than what it is for. */
const MAX_INDEX_BYTES = 4 * 1024 * 1024;

/** Collects the runs of a whole transcript as text: a run of a byte or two takes three bytes, not an object. */
export class StreamIndex {
  private readonly written: string[] = [];
  private length = 0;
  private last: StreamRun | null = null;
  private onlyStdout = true;

  add({ stream, bytes }: StreamRun): void {
    if (stream !== 'stdout') this.onlyStdout = false;
    if (this.last?.stream === stream || (this.last !== null && this.length > MAX_INDEX_BYTES)) {
      this.last.bytes += bytes;
      return;
    }
    this.writeLast();
    this.last = { stream, bytes };
  }

  /** Null where all of it is standard output. */
  end(): Buffer | null {
    this.writeLast();
    return this.onlyStdout ? null : Buffer.from(this.written.join(' '), 'latin1');
  }

  private writeLast(): void {
    if (this.last === null) return;
    const text = encodeRuns([this.last]);
    this.last = null;
    this.length += text.length + 1;
    const tail = this.written.at(-1);
    // Long strings are joined at the end; short ones at once, so that the list stays short.
    if (tail === undefined || tail.length > 16_384) this.written.push(text);
    else this.written[this.written.length - 1] = `${tail} ${text}`;
  }
}
