import { createHash } from 'node:crypto';
import { readTree } from './read-tree.js';
import type { TreeEntry } from './walk-tree.js';

/** SHA-256 of a file's content in lower-case hex, by its path. */
export type ContentHashes = ReadonlyMap<string, string>;

/**
 * One digest for what a workdir holds: paths, types, permission bits, contents and the targets of links; no times and no owners. It is
 * SHA-256 over, for each entry in the order of the bytes of its path,
 * `<f, d or l> <permissions in octal> <path> NUL <SHA-256 of the content in hex | target of the link | nothing> NUL`.
 * The order in which a file system lists its folders has no part in it.
 */
export function treeHash(entries: readonly TreeEntry[], contents: ContentHashes): string {
  const hash = createHash('sha256');
  for (const entry of entries) {
    const { path, type, mode, target } = entry;
    hash.update(`${LETTERS[type]} ${mode.toString(8)} ${path}\0${target ?? contents.get(path) ?? ''}\0`);
  }
  return hash.digest('hex');
}

/** Reads a whole folder and gives its digest. @throws AppError CONFLICT when it changes meanwhile */
export async function treeHashOf(root: string, entries: readonly TreeEntry[]): Promise<string> {
  const contents = new Map<string, string>();
  for await (const file of readTree(root, entries)) {
    const hash = createHash('sha256');
    for await (const chunk of file.chunks()) hash.update(chunk);
    contents.set(file.entry.path, hash.digest('hex'));
  }
  return treeHash(entries, contents);
}

/** The digest of a workdir without anything in it. */
export const EMPTY_TREE_HASH = treeHash([], new Map());

const LETTERS: Record<TreeEntry['type'], string> = { file: 'f', folder: 'd', link: 'l' };
