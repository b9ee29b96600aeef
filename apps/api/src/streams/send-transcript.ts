import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BlobStore } from '#artifacts';
import type { TranscriptView } from '#runner';
import type { ByteRange } from '../http/byte-range.js';
import { notFound } from '../http/problem.js';
import { sendContent } from '../http/send-content.js';
import {
  splitByStream,
  storedPieces,
  streamRuns,
  type StoredTranscript,
  type StreamPiece,
} from './transcript-pieces.js';

export const TRANSCRIPT_FORMATS = ['text', 'ndjson'] as const;
const TEXT = 'text/plain; charset=utf-8';
const NDJSON = 'application/x-ndjson; charset=utf-8';

/** What of a transcript is asked for, and how. */
export interface TranscriptQuery {
  /** Null: both. The line about what is missing belongs to either. */
  stream: 'stdout' | 'stderr' | null;
  format: (typeof TRANSCRIPT_FORMATS)[number];
}

/** The format that the query names, or else the one that the client accepts best: text unless it asks for NDJSON by name. */
export function chosenFormat(
  request: FastifyRequest,
  named: TranscriptQuery['format'] | null,
): TranscriptQuery['format'] {
  return named ?? (/\bapplication\/x-ndjson\b/i.test(request.headers.accept ?? '') ? 'ndjson' : 'text');
}

/** Answers with a transcript, or what there is of it so far. */
export async function sendTranscript(
  exchange: { request: FastifyRequest; reply: FastifyReply },
  blobs: BlobStore,
  transcript: TranscriptView,
  query: TranscriptQuery,
): Promise<void> {
  exchange.reply.header('Vary', 'Accept');
  if (!transcript.stored) return sendLive(exchange, transcript, query);
  const sizeBytes = await blobs.size(transcript.ref);
  if (sizeBytes === null) throw notFound();
  const stored = { ref: transcript.ref, streamsRef: transcript.streamsRef, sizeBytes };
  if (query.format === 'ndjson') return sendLines(exchange, storedPieces(blobs, stored, 0), query);
  const { request, reply } = exchange;
  if (query.stream === null) {
    const open = (range: ByteRange): Promise<Readable> => blobs.get(stored.ref, range);
    return sendContent(request, reply, { sizeBytes, mediaType: TEXT, etag: `"${transcript.sha256}"`, open });
  }
  await sendContent(request, reply, {
    sizeBytes: await sizeOfStream(blobs, stored, query),
    mediaType: TEXT,
    etag: `"${transcript.sha256}-${query.stream}"`,
    open: async ({ start, end }) => Readable.from(slice(bytesOf(storedPieces(blobs, stored, 0), query), start, end)),
  });
}

async function sendLive(
  exchange: { request: FastifyRequest; reply: FastifyReply },
  transcript: Extract<TranscriptView, { stored: false }>,
  query: TranscriptQuery,
): Promise<void> {
  const pieces: StreamPiece[] = [];
  let offset = 0;
  for (const { text, streams } of transcript.pieces) {
    pieces.push(...splitByStream(text, offset, streams));
    offset += Buffer.byteLength(text);
  }
  if (query.format === 'ndjson') return sendLines(exchange, pieces, query);
  const wanted = pieces.filter((piece) => isWanted(piece, query)).map((piece) => piece.text);
  const bytes = Buffer.from(wanted.join(''));
  const open = async ({ start, end }: ByteRange): Promise<Buffer> => bytes.subarray(start, end + 1);
  const content = { sizeBytes: bytes.length, mediaType: TEXT, etag: undefined, open };
  await sendContent(exchange.request, exchange.reply, content);
}

async function sendLines(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  pieces: Iterable<StreamPiece> | AsyncIterable<StreamPiece>,
  query: TranscriptQuery,
): Promise<void> {
  reply.header('Content-Type', NDJSON).header('X-Content-Type-Options', 'nosniff');
  await reply.send(request.method === 'HEAD' ? '' : Readable.from(lines(pieces, query), { objectMode: false }));
}

async function* lines(
  pieces: Iterable<StreamPiece> | AsyncIterable<StreamPiece>,
  query: TranscriptQuery,
): AsyncGenerator<string, void> {
  for await (const piece of pieces) {
    const { stream, offset, text } = piece;
    if (isWanted(piece, query)) yield `${JSON.stringify({ stream, offset, text })}\n`;
  }
}

function isWanted({ stream }: { stream: StreamPiece['stream'] }, query: TranscriptQuery): boolean {
  return query.stream === null || stream === query.stream || stream === 'runner';
}

async function sizeOfStream(blobs: BlobStore, stored: StoredTranscript, query: TranscriptQuery): Promise<number> {
  let size = 0;
  for (const run of await streamRuns(blobs, stored)) if (isWanted(run, query)) size += run.bytes;
  return size;
}

async function* bytesOf(pieces: AsyncIterable<StreamPiece>, query: TranscriptQuery): AsyncGenerator<Buffer, void> {
  for await (const piece of pieces) if (isWanted(piece, query)) yield Buffer.from(piece.text);
}

/** The bytes from `start` to `end`, both included. */
async function* slice(parts: AsyncIterable<Buffer>, start: number, end: number): AsyncGenerator<Buffer, void> {
  let position = 0;
  for await (const part of parts) {
    const wanted = part.subarray(Math.max(0, start - position), Math.max(0, end + 1 - position));
    position += part.length;
    if (wanted.length > 0) yield wanted;
    if (position > end) return;
  }
}
