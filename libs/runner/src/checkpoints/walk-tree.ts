import { createHash } from 'node:crypto';
import { lstatSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

/** Something in a workdir that can be kept. */
export interface TreeEntry {
  /** Relative to the workdir, with slashes. */
  path: string;
  type: 'file' | 'folder' | 'link';
  /** Permission bits. Of a link always 0o777: it has none of its own. */
  mode: number;
  /** Of a file; 0 for others. */
  sizeBytes: number;
  mtimeMs: number;
  /** Changes with every write, whatever a program says of the modification time; with `inode` it tells whether a file was touched. */
  ctimeMs: number;
  inode: number;
  /** Of a link: where it leads, as it is written in it. */
  target: string | null;
}

/** What a workdir holds at one moment. */
export interface Tree {
  /** Sorted by the bytes of their paths, so that a folder comes before what is in it. */
  entries: TreeEntry[];
  /** Sum of the files. */
  sizeBytes: number;
  /** What cannot be kept: sockets, pipes, devices, and what cannot be read or has a name that is not UTF-8. Sorted. */
  skipped: string[];
}

/** The runner's own folder in a workdir: made anew for each command, never kept. */
const OWN_FOLDER = '.runledger';

/**
 * Entries looked at before others get their turn. A look is a system call of microseconds: done here it costs a tenth of what it costs to hand
 * it to another thread and to hear of it.
 */
const AT_ONCE = 64;

const PERMISSIONS = 0o777;

/** Looks at everything below a folder, follows no link and opens no file. */
export async function walkTree(root: string): Promise<Tree> {
  const tree: Tree = { entries: [], sizeBytes: 0, skipped: [] };
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const paths = await namesIn(root, folder, tree);
    for (let from = 0; from < paths.length; from += AT_ONCE) {
      const found = paths.slice(from, from + AT_ONCE).map((path) => look(root, path));
      await setImmediate();
      found.forEach((entry, index) => {
        if (entry === null) tree.skipped.push(paths[from + index] ?? '');
        else tree.entries.push(entry);
        if (entry?.type === 'folder') folders.push(entry.path);
      });
    }
  }
  return finished(tree);
}

/**
 * A digest of who is where in a tree, without reading any file: the same as long as nobody touches anything, another one after any write,
 * even of the same bytes. Only good for comparing looks at one folder.
 */
export function fingerprintOf({ entries }: Tree): string {
  const hash = createHash('sha256');
  for (const { path, type, mode, inode, ctimeMs, sizeBytes } of entries) {
    // The times of a folder change with what is in it, which is compared by itself.
    hash.update(type === 'folder' ? `${mode} ${path}\0` : `${inode} ${ctimeMs} ${sizeBytes} ${path}\0`);
  }
  return hash.digest('hex');
}

function finished({ entries, skipped }: Tree): Tree {
  const keyed = entries.map((entry) => ({ entry, key: Buffer.from(entry.path) }));
  keyed.sort((one, other) => Buffer.compare(one.key, other.key));
  const sorted = keyed.map(({ entry }) => entry);
  return {
    entries: sorted,
    sizeBytes: sorted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    skipped: skipped.sort(),
  };
}

async function namesIn(root: string, folder: string, tree: Tree): Promise<string[]> {
  const names = await readdir(join(root, folder), { encoding: 'buffer' }).catch((error: unknown) => {
    // The workdir itself has to be there; a folder without permission to read is left out with all that is in it.
    if (folder === '') throw error;
    tree.skipped.push(`${folder}/*`);
    return [];
  });
  return names
    .filter((name) => folder !== '' || name.toString() !== OWN_FOLDER)
    .map((name) => (folder === '' ? name.toString() : `${folder}/${name.toString()}`));
}

/** @returns null for what cannot be kept; a name that is not UTF-8 has become another, under which nothing is found */
function look(root: string, path: string): TreeEntry | null {
  try {
    const full = join(root, path);
    const found = lstatSync(full);
    const shared = { path, mtimeMs: found.mtimeMs, ctimeMs: found.ctimeMs, inode: found.ino };
    if (found.isFile())
      return { ...shared, type: 'file', mode: found.mode & PERMISSIONS, sizeBytes: found.size, target: null };
    if (found.isDirectory())
      return { ...shared, type: 'folder', mode: found.mode & PERMISSIONS, sizeBytes: 0, target: null };
    if (!found.isSymbolicLink()) return null;
    const target = readlinkSync(full, { encoding: 'buffer' });
    if (!target.equals(Buffer.from(target.toString()))) return null;
    return { ...shared, type: 'link', mode: PERMISSIONS, sizeBytes: 0, target: target.toString() };
  } catch {
    return null;
  }
}
