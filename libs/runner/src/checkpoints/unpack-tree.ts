import { chmod, mkdir, open, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createTarDecoder, type ParsedTarEntry, type TarHeader } from 'modern-tar';
import { AppError } from '#kernel';

/** Small files are written while the next ones are read. */
const SMALL_BYTES = 64 * 1024;
const AT_ONCE = 32;

/**
 * Unpacks an archive of `packTree` into an empty folder that nobody else uses. Archives come from our own store, and are believed no more
 * than if they came from elsewhere: only folders, files and links are made, each at a new place below `root`, none through a link.
 * @throws AppError CONFLICT when the archive is damaged or holds anything else
 */
export async function unpackTree(archive: Readable, root: string): Promise<void> {
  const unpacking = new Unpacking(root);
  const decoder = createTarDecoder({ strict: true });
  const fed = (Readable.toWeb(archive) as ReadableStream<Uint8Array>).pipeTo(decoder.writable);
  fed.catch(() => undefined);
  try {
    for await (const entry of decoder.readable) await unpacking.add(entry);
    await fed;
    await unpacking.finish();
  } catch (error) {
    archive.destroy();
    await unpacking.settled();
    throw error instanceof AppError ? error : refused('it is damaged', error);
  }
}

class Unpacking {
  /** Folders that this archive made: nothing is put anywhere else. */
  private readonly folders = new Map<string, TarHeader>();
  private readonly writing = new Set<Promise<void>>();

  constructor(private readonly root: string) {}

  async add({ header, body }: ParsedTarEntry): Promise<void> {
    const path = this.checked(header);
    switch (header.type) {
      case 'directory':
        // Writable until everything is in it.
        await mkdir(join(this.root, path), { mode: 0o700 });
        this.folders.set(path, header);
        return body.cancel();
      case 'symlink':
        await symlink(header.linkname ?? '', join(this.root, path));
        return body.cancel();
      case 'file':
        return this.write(path, header, body);
      default:
        throw refused(`"${header.name}" is a ${header.type ?? 'thing without a type'}`);
    }
  }

  /** Folders last, the deepest first: their permissions and times are what filling them would have changed. */
  async finish(): Promise<void> {
    await Promise.all(this.writing);
    for (const [path, header] of [...this.folders].reverse()) {
      await utimes(join(this.root, path), timeOf(header), timeOf(header));
      await chmod(join(this.root, path), modeOf(header));
    }
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.writing);
  }

  private checked({ name }: TarHeader): string {
    const path = name.endsWith('/') ? name.slice(0, -1) : name;
    const parts = path.split('/');
    if (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..'))
      throw refused(`"${name}" is no path inside the workdir`);
    const parent = dirname(path);
    if (parent !== '.' && !this.folders.has(parent))
      throw refused(`"${name}" is in a folder that the archive does not hold`);
    return path;
  }

  private async write(path: string, header: TarHeader, body: ParsedTarEntry['body']): Promise<void> {
    if (header.size > SMALL_BYTES) return this.store(path, header, body);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const written = this.store(path, header, chunks);
    written.catch(() => undefined);
    this.writing.add(written);
    if (this.writing.size < AT_ONCE) return;
    // One that failed stays among them, and is met here or at the end.
    await Promise.all(this.writing);
    this.writing.clear();
  }

  private async store(
    path: string,
    header: TarHeader,
    chunks: AsyncIterable<Uint8Array> | Uint8Array[],
  ): Promise<void> {
    // `x`: what is there already, even a link to nowhere, is refused and not followed.
    const file = await open(join(this.root, path), 'wx', 0o600);
    try {
      for await (const chunk of chunks) await file.writeFile(chunk);
      await file.chmod(modeOf(header));
      await file.utimes(timeOf(header), timeOf(header));
    } finally {
      await file.close();
    }
  }
}

function modeOf({ mode }: TarHeader): number {
  return (mode ?? 0o600) & 0o777;
}

function timeOf({ mtime }: TarHeader): Date {
  return mtime ?? new Date(0);
}

function refused(why: string, cause?: unknown): AppError {
  return new AppError('CONFLICT', `the archive of a workdir cannot be restored: ${why}`, { cause });
}
