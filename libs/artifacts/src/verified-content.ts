import { createHash } from 'node:crypto';
import { AppError } from '#kernel';

/** What the ledger says of a blob. */
export interface ExpectedContent {
  blobKey: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/**
 * Passes a blob's bytes on and checks them. The last piece is kept back until the digest is known, so nobody gets a complete content that
 * is not the one recorded.
 * @throws AppError INTERNAL, in the place of the last piece, when size or digest differ
 */
export async function* verifiedContent(
  content: AsyncIterable<Buffer>,
  expected: ExpectedContent,
): AsyncGenerator<Buffer, void, void> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let last: Buffer | undefined;
  for await (const chunk of content) {
    if (last !== undefined) yield last;
    last = chunk;
    hash.update(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > expected.sizeBytes) break;
  }
  const sha256 = hash.digest('hex');
  if (sizeBytes !== expected.sizeBytes || sha256 !== expected.sha256) {
    throw new AppError(
      'INTERNAL',
      `blob ${expected.blobKey} is not what the ledger says: its SHA-256 is ${sha256} instead of ${expected.sha256} (${sizeBytes} of ${expected.sizeBytes} bytes read)`,
    );
  }
  if (last !== undefined) yield last;
}
