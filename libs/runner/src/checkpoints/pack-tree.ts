import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createTarPacker, type TarHeader } from 'modern-tar';
import { readTree } from './read-tree.js';
import { treeHash } from './tree-hash.js';
import type { Tree, TreeEntry } from './walk-tree.js';

/** A tree on its way into an archive. */
export interface PackedTree {
  archive: Readable;
  /** The digest of what went in; resolves when all of it has. */
  treeHash: Promise<string>;
}

const TYPES = { file: 'file', folder: 'directory', link: 'symlink' } as const satisfies Record<
  TreeEntry['type'],
  TarHeader['type']
>;

/**
 * Packs a tree as a tar archive (POSIX pax), read once: what goes into the archive is what is hashed. Sorted, without owners, times in whole
 * seconds: the same tree gives the same bytes. Not compressed: that would cost more than it saves on a disk, and its bytes depend on the
 * version of the library. Memory does not grow with the size of the files.
 */
export function packTree(root: string, tree: Tree): PackedTree {
  const { readable, controller } = createTarPacker();
  const write = async (): Promise<string> => {
    const contents = new Map<string, string>();
    const files = readTree(root, tree.entries);
    try {
      for (const entry of tree.entries) {
        const body = controller.add(headerOf(entry)).getWriter();
        if (entry.type === 'file') {
          const hash = createHash('sha256');
          const file = await files.next();
          if (file.done === true) throw new Error(`nothing to read for ${entry.path}`);
          for await (const chunk of file.value.chunks()) {
            hash.update(chunk);
            if (chunk.length > 0) await body.write(chunk);
          }
          contents.set(entry.path, hash.digest('hex'));
        }
        await body.close();
      }
      controller.finalize();
      return treeHash(tree.entries, contents);
    } catch (error) {
      controller.error(error);
      throw error;
    } finally {
      await files.return(undefined);
    }
  };
  const hashed = write();
  // Whoever reads the archive gets the error too, and may not have come to ask for the digest.
  hashed.catch(() => undefined);
  return { archive: Readable.fromWeb(readable as ReadableStream<Uint8Array>), treeHash: hashed };
}

function headerOf({ path, type, mode, sizeBytes, mtimeMs, target }: TreeEntry): TarHeader {
  return {
    name: type === 'folder' ? `${path}/` : path,
    type: TYPES[type],
    ...{ mode, size: sizeBytes, uid: 0, gid: 0 },
    mtime: new Date(Math.max(0, mtimeMs)),
    ...(target === null ? {} : { linkname: target }),
  };
}
