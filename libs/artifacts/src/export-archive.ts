import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { AppError, canonicalJson } from '#kernel';
import type { BlobStore } from './blob-store.js';
import { entryPaths, MANIFEST_PATH } from './entry-paths.js';
import { verifiedContent, type ExpectedContent } from './verified-content.js';
import { writeZip, zipSize, type ZipEntry } from './write-zip.js';

const PIECE_CHARACTERS = 16 * 1024;

/** One artifact of an export. */
export interface ExportFile extends ExpectedContent {
  projectId: string | null;
  kind: string;
  logicalKey: string;
}

interface Entry {
  path: string;
  sizeBytes: number;
  /** Null for the manifest. */
  content: ExpectedContent | null;
}

/**
 * A ZIP archive of artifacts, under `kind/logicalKey`, with a `manifest.json`: its entries in the order of their UTF-8 bytes. The same
 * contents under the same names give the same bytes, whoever stored them, in which order and when.
 */
export class ExportArchive {
  /** SHA-256 of the manifest, which determines every byte of the archive. */
  readonly sha256: string;
  readonly sizeBytes: number;
  private readonly entries: Entry[];

  /** @param files in any order; of those with the same kind and logical key, the one without a project keeps the plain path */
  constructor(files: ExportFile[]) {
    const named = [...files].sort(byName);
    const paths = entryPaths(named.map((file) => `${file.kind}/${file.logicalKey}`));
    const manifest: Entry = { path: MANIFEST_PATH, sizeBytes: 0, content: null };
    this.entries = named
      .map((file, index): Entry => ({ path: paths[index] ?? '', sizeBytes: file.sizeBytes, content: file }))
      .concat(manifest)
      .sort((one, other) => compareUtf8(one.path, other.path));
    const hash = createHash('sha256');
    for (const piece of this.manifest()) {
      hash.update(piece);
      manifest.sizeBytes += piece.length;
    }
    this.sha256 = hash.digest('hex');
    this.sizeBytes = zipSize(this.entries);
  }

  /**
   * The bytes. One blob is open at a time, and it is closed when the stream is destroyed. Ends in an error, and not in a complete archive,
   * when a blob is gone or is not what the ledger says.
   */
  read(blobs: BlobStore): Readable {
    return Readable.from(writeZip(this.readers(blobs)), { objectMode: false });
  }

  private *readers(blobs: BlobStore): Generator<ZipEntry> {
    for (const { path, sizeBytes, content } of this.entries) {
      const open = () => (content === null ? Readable.from(this.manifest()) : openBlob(blobs, path, content));
      yield { path, sizeBytes, open };
    }
  }

  /** Canonical JSON (RFC 8785), made piece by piece: `{"entries":[{"bytes":3,"path":"file/a","sha256":"..."}],"v":1}`. */
  private *manifest(): Generator<Buffer> {
    let text = '{"entries":[';
    let separator = '';
    for (const { path, sizeBytes, content } of this.entries) {
      if (content === null) continue;
      text += separator + canonicalJson({ path, sha256: content.sha256, bytes: sizeBytes });
      separator = ',';
      if (text.length < PIECE_CHARACTERS) continue;
      yield Buffer.from(text);
      text = '';
    }
    yield Buffer.from(`${text}],"v":1}`);
  }
}

async function openBlob(
  blobs: BlobStore,
  path: string,
  expected: ExpectedContent,
): Promise<AsyncGenerator<Buffer, void, void>> {
  const content = await blobs.get(expected.blobKey).catch((error: unknown) => {
    const gone = error instanceof AppError && error.code === 'NOT_FOUND';
    throw gone ? new AppError('INTERNAL', `blob ${expected.blobKey} of "${path}" is gone`, { cause: error }) : error;
  });
  return verifiedContent(content, expected);
}

function byName(one: ExportFile, other: ExportFile): number {
  return (
    compare(one.kind, other.kind) ||
    compare(one.logicalKey, other.logicalKey) ||
    compare(one.projectId ?? '', other.projectId ?? '')
  );
}

/** The order of the UTF-8 bytes, which is that of the code points: surrogates come after all other UTF-16 units. */
function compareUtf8(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index += 1) {
    const difference = rank(one.charCodeAt(index)) - rank(other.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
