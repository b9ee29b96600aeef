import type { ErrorCode } from '#kernel';
import type { OperationSpec, ResponseSpec } from '../openapi/operation.decorator.js';

/** What the downloads of a job and of a workspace have in common. */

export const RANGE = {
  name: 'Range',
  description: 'One range of bytes, for example `bytes=0-1023` or `bytes=-500`.',
  schema: { type: 'string' },
};

const IF_NONE_MATCH = {
  name: 'If-None-Match',
  description: 'Answers 304 when the ETag is this one.',
  schema: { type: 'string' },
};

const binary = (type: string, description: string, headers: Record<string, string>): ResponseSpec => ({
  description,
  content: { [type]: { schema: { type: 'string', format: 'binary' } } },
  headers,
});

const ATTACHMENT = 'Always an attachment: what a job wrote is never shown as a page of this server.';
const CONTENT_HEADERS = { ETag: 'The SHA-256 of the bytes.', 'Content-Disposition': ATTACHMENT };

export const CONTENT = {
  headers: [RANGE, IF_NONE_MATCH],
  responses: {
    200: binary('application/octet-stream', 'The file.', CONTENT_HEADERS),
    206: binary('application/octet-stream', 'The bytes that were asked for.', {
      ...CONTENT_HEADERS,
      'Content-Range': 'Which bytes these are.',
    }),
    304: { description: 'You have it.' },
  },
  errors: ['NOT_FOUND', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE'] satisfies ErrorCode[],
};

export const ARCHIVE = `
A ZIP archive of entries \`kind/logicalKey\`, sorted, stored without compression and dated 1980-01-01 00:00:00 (where the dates of ZIP begin), and a
\`manifest.json\` with \`path\`, \`sha256\` and \`bytes\` of each: the same contents give the same bytes. Each file is checked against the ledger as it goes
out; one that is not what it should be breaks the connection before the archive is complete.`.trim();

export const EXPORT = {
  headers: [IF_NONE_MATCH],
  responses: {
    200: binary('application/zip', 'The archive.', {
      ETag: 'The SHA-256 of its manifest.',
      'Content-Length': 'Known before the first byte.',
      'Content-Disposition': ATTACHMENT,
    }),
    304: { description: 'You have it.' },
  },
  errors: ['VALIDATION_FAILED'] satisfies ErrorCode[],
} satisfies Partial<OperationSpec>;
