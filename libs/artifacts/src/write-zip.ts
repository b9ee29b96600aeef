import { crc32 } from 'node:zlib';
import { centralHeader, dataDescriptor, endRecords, localHeader, type ZipRecord } from './zip-records.js';

/** A file that is to be in an archive. */
export interface ZipEntry {
  /** With slashes, relative, at most 65,535 bytes as UTF-8. */
  path: string;
  sizeBytes: number;
  /** Its bytes, asked for when their turn comes; iteration is ended early when nobody wants the archive any more. */
  open(): AsyncIterable<Buffer> | Promise<AsyncIterable<Buffer>>;
}

/** Central headers go out in pieces of about this size: one by one they would be as many writes as there are entries. */
const PIECE_BYTES = 64 * 1024;

/**
 * Writes a ZIP archive, entry after entry, as fast as it is read and no faster: nothing but the names and checksums of what was written
 * stays in memory. Entries are stored, not compressed, because another zlib may compress the same bytes to others; so equal entries in
 * equal order give equal archives, on every machine and at any time.
 *
 * Libraries that were looked at: yazl looks through all entries before each one, writes the directory without back-pressure, and leaves
 * its sources open when its reader goes; client-zip writes no ZIP64 records for more than 65,535 entries. Both put dates into the local
 * time zone.
 * @throws Error when an entry has another size than it said, and whatever reading it throws
 */
export async function* writeZip(entries: Iterable<ZipEntry>): AsyncGenerator<Buffer, void, void> {
  const written: ZipRecord[] = [];
  let offset = 0;
  for (const entry of entries) {
    const record = { name: nameOf(entry.path), sizeBytes: entry.sizeBytes, crc32: 0, offset };
    const header = localHeader(record);
    yield header;
    let seen = 0;
    for await (const chunk of await entry.open()) {
      seen += chunk.length;
      record.crc32 = crc32(chunk, record.crc32);
      if (seen > entry.sizeBytes) break;
      yield chunk;
    }
    if (seen !== entry.sizeBytes) throw new Error(`${entry.path} was to have ${entry.sizeBytes} bytes and has others`);
    const descriptor = dataDescriptor(record);
    yield descriptor;
    offset += header.length + seen + descriptor.length;
    written.push(record);
  }
  let sizeBytes = 0;
  let piece: Buffer[] = [];
  let pieceBytes = 0;
  for (const record of written) {
    const header = centralHeader(record);
    sizeBytes += header.length;
    piece.push(header);
    pieceBytes += header.length;
    if (pieceBytes < PIECE_BYTES) continue;
    yield Buffer.concat(piece);
    piece = [];
    pieceBytes = 0;
  }
  yield Buffer.concat([...piece, endRecords({ entries: written.length, sizeBytes, offset })]);
}

/** How many bytes `writeZip` gives for these entries. */
export function zipSize(entries: Iterable<Pick<ZipEntry, 'path' | 'sizeBytes'>>): number {
  let offset = 0;
  let directory = 0;
  let count = 0;
  for (const { path, sizeBytes } of entries) {
    const record = { name: nameOf(path), sizeBytes, crc32: 0, offset };
    directory += centralHeader(record).length;
    offset += localHeader(record).length + sizeBytes + dataDescriptor(record).length;
    count += 1;
  }
  return offset + directory + endRecords({ entries: count, sizeBytes: directory, offset }).length;
}

function nameOf(path: string): Buffer {
  if (path === '' || path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new Error(`${JSON.stringify(path)} cannot be the path of an entry`);
  const name = Buffer.from(path);
  if (name.length > 0xffff) throw new Error(`${path.slice(0, 100)}... is too long for the path of an entry`);
  return name;
}
