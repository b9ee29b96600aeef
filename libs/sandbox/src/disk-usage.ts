import { lstat, readdir, readlink, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** What a file costs besides its content: its inode and its name. Without it a million empty files would be nothing. */
const FILE_BYTES = 512;
const BLOCK_BYTES = 512;
/** Files looked at together, so that Node's few threads for files are not all ours for long. */
const BATCH = 32;

/** How much folders hold. */
export interface DiskUsage {
  bytes: number;
  /** False when a folder could not be read. */
  complete: boolean;
}

/**
 * Adds up what files and folders occupy, hard links once, without following links or leaving the file system.
 * @param enough stops the counting when so much has been found
 */
export async function diskUsage(folders: readonly string[], enough: number): Promise<DiskUsage> {
  const usage: DiskUsage = { bytes: 0, complete: true };
  const linked = new Set<string>();
  const open = [...folders];
  for (let folder = open.pop(); folder !== undefined && usage.bytes <= enough; folder = open.pop()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
    if (entries === null) {
      usage.complete = false;
      continue;
    }
    for (let first = 0; first < entries.length && usage.bytes <= enough; first += BATCH) {
      const batch = entries.slice(first, first + BATCH).map((entry) => join(folder, entry.name));
      const found = await Promise.all(batch.map((path) => lstat(path).catch(() => null)));
      found.forEach((file, index) => {
        if (file === null) return;
        const id = `${file.dev}:${file.ino}`;
        if (!file.isDirectory() && file.nlink > 1 && linked.has(id)) return;
        if (file.nlink > 1) linked.add(id);
        usage.bytes += FILE_BYTES + file.blocks * BLOCK_BYTES;
        if (file.isDirectory()) open.push(batch[index] ?? '');
      });
    }
  }
  return usage;
}

/** What these processes hold open of files without a name, which no walk through folders finds; of one file system. */
export async function unnamedBytes(pids: readonly number[], folder: string): Promise<number> {
  const home = await stat(folder).catch(() => null);
  const files = new Map<number, number>();
  for (const pid of pids) {
    const descriptors = `/proc/${pid}/fd`;
    for (const name of await readdir(descriptors).catch(() => [])) {
      const path = join(descriptors, name);
      if (!(await readlink(path).catch(() => '')).endsWith(' (deleted)')) continue;
      const file = await stat(path).catch(() => null);
      if (file !== null && file.isFile() && file.nlink === 0 && file.dev === home?.dev)
        files.set(file.ino, file.blocks * BLOCK_BYTES);
    }
  }
  return [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** What is free on the file system of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bfree, bsize } = await statfs(folder);
  return bfree * bsize;
}

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;

/** What a folder in memory holds; 0 when it is none or cannot be seen. */
export async function tmpfsBytes(folder: string): Promise<number> {
  const found = await statfs(folder).catch(() => null);
  return found?.type === TMPFS_MAGIC ? (found.blocks - found.bfree) * found.bsize : 0;
}
