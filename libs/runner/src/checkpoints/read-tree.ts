import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#kernel';
import type { TreeEntry } from './walk-tree.js';

/** A file of a tree, opened. */
export interface TreeFile {
  entry: TreeEntry;
  /** Its bytes; has to be read to its end. */
  chunks(): AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** Smaller files are read whole, several at a time: opening is what costs. */
const SMALL_BYTES = 64 * 1024;
const AT_ONCE = 32;
const CHUNK_BYTES = 256 * 1024;

/**
 * Opens the files of a tree one after the other. Each must be the very file that was looked at: what has become a link or another file
 * since then is refused.
 * @throws AppError CONFLICT naming the file that changed
 */
export async function* readTree(root: string, entries: readonly TreeEntry[]): AsyncGenerator<TreeFile> {
  const files = entries.filter((entry) => entry.type === 'file');
  for (let from = 0; from < files.length; from += AT_ONCE) {
    const group = files.slice(from, from + AT_ONCE);
    const small = await Promise.all(
      group.map((entry) => (entry.sizeBytes <= SMALL_BYTES ? readSmall(root, entry) : Promise.resolve(null))),
    );
    for (const [index, entry] of group.entries()) {
      const content = small[index] ?? null;
      yield { entry, chunks: () => (content === null ? readLarge(root, entry) : [content]) };
    }
  }
}

async function readSmall(root: string, entry: TreeEntry): Promise<Buffer> {
  const file = await openEntry(root, entry);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(entry.sizeBytes + 1), 0, entry.sizeBytes + 1, 0);
    if (bytesRead !== entry.sizeBytes) throw changed(entry);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* readLarge(root: string, entry: TreeEntry): AsyncGenerator<Buffer> {
  const file = await openEntry(root, entry);
  let read = 0;
  for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES })) {
    read += (chunk as Buffer).length;
    if (read > entry.sizeBytes) throw changed(entry);
    yield chunk as Buffer;
  }
  if (read !== entry.sizeBytes) throw changed(entry);
}

async function openEntry(root: string, entry: TreeEntry): Promise<FileHandle> {
  // O_NOFOLLOW: no link in its place. O_NONBLOCK: a pipe in its place would keep us waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(join(root, entry.path), flags).catch((cause: unknown) => {
    throw changed(entry, cause);
  });
  const found = await file.stat();
  // The inode tells also when a folder on the way there was exchanged for a link.
  if (found.isFile() && found.ino === entry.inode && found.size === entry.sizeBytes) return file;
  await file.close();
  throw changed(entry);
}

function changed(entry: TreeEntry, cause?: unknown): AppError {
  const message = `"${entry.path}" changed, or could not be read, while the workdir was kept`;
  return new AppError('CONFLICT', message, { details: { path: entry.path }, cause });
}
