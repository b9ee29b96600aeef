import { text as textOf } from 'node:stream/consumers';
import type { BlobStore } from '#artifacts';
import { decodeRuns, type StreamRun, type TranscriptStream } from '#sandbox';
import { utf8Pieces } from './utf8-pieces.js';

/** A piece of a transcript that one stream wrote. */
export interface StreamPiece {
  stream: TranscriptStream;
  /** Of the first byte of `text`, in the transcript. */
  offset: number;
  text: string;
}

/** A transcript in the blob store. */
export interface StoredTranscript {
  ref: string;
  sizeBytes: number;
  /** The blob that tells the streams apart; null where all of it is standard output. */
  streamsRef: string | null;
}

/** Cuts a text where the stream changes. @param streams its index; empty where all of it is standard output */
export function* splitByStream(text: string, offset: number, streams: string): Generator<StreamPiece, void> {
  if (streams === '') {
    yield { stream: 'stdout', offset, text };
    return;
  }
  const bytes = Buffer.from(text);
  let at = 0;
  for (const { stream, bytes: count } of new RunCursor(decodeRuns(streams)).take(bytes.length)) {
    yield { stream, offset: offset + at, text: bytes.toString('utf8', at, at + count) };
    at += count;
  }
}

/** A stored transcript from a byte on, piece by piece, in constant memory but for the index. */
export async function* storedPieces(
  blobs: BlobStore,
  transcript: StoredTranscript,
  start: number,
): AsyncGenerator<StreamPiece, void> {
  if (start >= transcript.sizeBytes) return;
  const runs = new RunCursor(await streamRuns(blobs, transcript));
  for (const skipped of runs.take(start)) void skipped;
  const bytes = await blobs.get(transcript.ref, { start, end: transcript.sizeBytes - 1 });
  for await (const { offset, text } of utf8Pieces(bytes, start)) {
    const piece = Buffer.from(text);
    let at = 0;
    for (const { stream, bytes: count } of runs.take(piece.length)) {
      yield { stream, offset: offset + at, text: piece.toString('utf8', at, at + count) };
      at += count;
    }
  }
}

/** Who wrote which bytes of a stored transcript. */
export async function streamRuns(blobs: BlobStore, transcript: StoredTranscript): Promise<Iterable<StreamRun>> {
  const { streamsRef, sizeBytes } = transcript;
  if (streamsRef === null) return [{ stream: 'stdout', bytes: sizeBytes }];
  return decodeRuns(await textOf(await blobs.get(streamsRef)));
}

/** Goes along runs, so many bytes at a time. Bytes that no run speaks of count as standard output. */
class RunCursor {
  private readonly runs: Iterator<StreamRun>;
  private run: StreamRun | null = null;

  constructor(runs: Iterable<StreamRun>) {
    this.runs = runs[Symbol.iterator]();
  }

  *take(bytes: number): Generator<StreamRun, void> {
    for (let left = bytes; left > 0;) {
      this.run ??= this.next();
      const part = Math.min(left, this.run.bytes);
      yield { stream: this.run.stream, bytes: part };
      left -= part;
      this.run = this.run.bytes === part ? null : { stream: this.run.stream, bytes: this.run.bytes - part };
    }
  }

  private next(): StreamRun {
    const next = this.runs.next();
    if (next.done === true) return { stream: 'stdout', bytes: Infinity };
    return next.value.bytes > 0 ? next.value : this.next();
  }
}
