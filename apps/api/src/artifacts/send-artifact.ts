import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { verifiedContent, type BlobStore, type ExportArchive } from '#artifacts';
import { messageOf } from '#kernel';
import type { StoredArtifact } from '#runner';
import { attachment } from '../http/content-disposition.js';
import { isKnown, sendContent } from '../http/send-content.js';

const logger = new Logger('artifacts');

/** Answers with the bytes of an artifact, checked against the ledger as they go out; a range of them cannot be checked. */
export async function sendArtifact(
  request: FastifyRequest,
  reply: FastifyReply,
  artifact: StoredArtifact,
  blobs: BlobStore,
): Promise<void> {
  const { sizeBytes, mediaType, sha256, blobKey, path } = artifact;
  asAttachment(reply, path);
  await sendContent(request, reply, {
    sizeBytes,
    mediaType,
    etag: `"${sha256}"`,
    open: async (range) => {
      const stored = await blobs.get(blobKey, range);
      if (range.start > 0 || range.end < sizeBytes - 1) return stored;
      return logged(request, Readable.from(verifiedContent(stored, artifact), { objectMode: false }));
    },
  });
}

/**
 * Answers with a ZIP archive as it is read. The client sets the pace; when it goes away the reading ends. What cannot be read, or is not
 * what the ledger says, breaks the connection: `Content-Length` shows that something is missing.
 */
export async function sendExport(
  request: FastifyRequest,
  reply: FastifyReply,
  archive: ExportArchive,
  blobs: BlobStore,
): Promise<void> {
  const etag = `"${archive.sha256}"`;
  asAttachment(reply, 'artifacts.zip').header('ETag', etag);
  if (isKnown(request, etag)) {
    await reply.code(304).send();
    return;
  }
  reply.header('Content-Type', 'application/zip').header('Content-Length', String(archive.sizeBytes));
  // Fastify answers HEAD by reading the whole body and throwing it away: there it gets none.
  await reply.send(request.method === 'HEAD' ? Readable.from([]) : logged(request, archive.read(blobs)));
}

/** What a job wrote must never act as a page of this server. */
function asAttachment(reply: FastifyReply, path: string): FastifyReply {
  return reply
    .header('Content-Disposition', attachment(path))
    .header('Content-Security-Policy', "sandbox; default-src 'none'");
}

function logged(request: FastifyRequest, content: Readable): Readable {
  return content.once('error', (error) =>
    logger.error({ requestId: request.id, msg: `a download was broken off: ${messageOf(error)}` }),
  );
}
