import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { AppError } from '#kernel';
import type { TreeEntry } from './walk-tree.js';

/** A file of a tree, opened. */
export interface TreeFile {
  entry: TreeEntry;
  /** Its bytes; has to be read to its end. */
  chunks(): AsyncIterable<Buffer> | Iterable<Buffer>;
}

/**
 * Smaller files are read whole and in this thread: handing the four system calls of each to another one costs more than they do. After so many
 * files others get their turn.
 */
const SMALL_BYTES = 64 * 1024;
const AT_ONCE = 32;
const CHUNK_BYTES = 256 * 1024;

/**
 * Opens the files of a tree one after the other. Each must be the very file that was looked at: what has become a link or another file
 * since then is refused.
 * @throws AppError CONFLICT naming the file that changed
 */
export async function* readTree(root: string, entries: readonly TreeEntry[]): AsyncGenerator<TreeFile> {
  let read = 0;
  for (const entry of entries) {
    if (entry.type !== 'file') continue;
    const content = entry.sizeBytes <= SMALL_BYTES ? [readSmall(root, entry)] : null;
    yield { entry, chunks: () => content ?? readLarge(root, entry) };
    read += 1;
    if (read % AT_ONCE === 0) await setImmediate();
  }
}

function readSmall(root: string, entry: TreeEntry): Buffer {
  const file = openHere(root, entry);
  try {
    if (!isSame(fstatSync(file), entry)) throw changed(entry);
    const buffer = Buffer.allocUnsafe(entry.sizeBytes + 1);
    if (readSync(file, buffer, 0, buffer.length, 0) !== entry.sizeBytes) throw changed(entry);
    return buffer.subarray(0, entry.sizeBytes);
  } finally {
    closeSync(file);
  }
}

function openHere(root: string, entry: TreeEntry): number {
  try {
    return openSync(join(root, entry.path), FLAGS);
  } catch (cause) {
    throw changed(entry, cause);
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
  const file = await open(join(root, entry.path), FLAGS).catch((cause: unknown) => {
    throw changed(entry, cause);
  });
  if (isSame(await file.stat(), entry)) return file;
  await file.close();
  throw changed(entry);
}

/** O_NOFOLLOW: no link in its place. O_NONBLOCK: a pipe in its place would keep us waiting. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The inode tells also when a folder on the way there was exchanged for a link. */
function isSame(found: Stats, entry: TreeEntry): boolean {
  return found.isFile() && found.ino === entry.inode && found.size === entry.sizeBytes;
}

function changed(entry: TreeEntry, cause?: unknown): AppError {
  const message = `"${entry.path}" changed, or could not be read, while the workdir was kept`;
  return new AppError('CONFLICT', message, { details: { path: entry.path }, cause });
}
