import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { AppError } from '#kernel';
import { parseRange, type ByteRange } from './byte-range.js';

/** Bytes to be sent, or a part of them. */
export interface Content {
  sizeBytes: number;
  mediaType: string;
  /** Quoted; undefined for content that still changes. */
  etag: string | undefined;
  open(range: ByteRange): Promise<Readable | Buffer>;
}

/**
 * Answers with the content, or the range of it that the request asks for; 304 when the client has it.
 * @throws AppError RANGE_NOT_SATISFIABLE
 */
export async function sendContent(request: FastifyRequest, reply: FastifyReply, content: Content): Promise<void> {
  const { sizeBytes, etag } = content;
  reply.header('Accept-Ranges', 'bytes').header('X-Content-Type-Options', 'nosniff');
  if (etag !== undefined) reply.header('ETag', etag);
  if (etag !== undefined && isKnown(request, etag)) {
    await reply.code(304).send();
    return;
  }
  // A range of another version of the content is of no use: then the client gets all of it.
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, sizeBytes) : null;
  if (range === 'unsatisfiable') {
    throw new AppError('RANGE_NOT_SATISFIABLE', `The content has ${sizeBytes} bytes.`, {
      details: { contentRange: `bytes */${sizeBytes}` },
    });
  }
  const sent = range ?? { start: 0, end: sizeBytes - 1 };
  if (range !== null) reply.code(206).header('Content-Range', `bytes ${sent.start}-${sent.end}/${sizeBytes}`);
  const body = sizeBytes === 0 ? Buffer.alloc(0) : await content.open(sent);
  reply.header('Content-Type', content.mediaType).header('Content-Length', String(sent.end - sent.start + 1));
  await reply.send(body);
}

/** Whether the client says that it has what this quoted ETag names (`If-None-Match`). */
export function isKnown(request: FastifyRequest, etag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  return header.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));
}
