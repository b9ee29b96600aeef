import { closeSync, fchmodSync, futimesSync, openSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, open, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createTarDecoder, type ParsedTarEntry, type TarHeader } from 'modern-tar';
import { AppError } from '#kernel';

/**
 * Smaller files are written in this thread: handing the five system calls of each to another one costs more than they do. The archive is
 * read in pieces, between which others get their turn.
 */
const SMALL_BYTES = 64 * 1024;

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
    throw error instanceof AppError ? error : refused('it is damaged', error);
  }
}

class Unpacking {
  /** Folders that this archive made: nothing is put anywhere else. */
  private readonly folders = new Map<string, TarHeader>();

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
    for (const [path, header] of [...this.folders].reverse()) {
      await utimes(join(this.root, path), timeOf(header), timeOf(header));
      await chmod(join(this.root, path), modeOf(header));
    }
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

  /** `wx`: what is there already, even a link to nowhere, is refused and not followed. */
  private async write(path: string, header: TarHeader, body: ParsedTarEntry['body']): Promise<void> {
    if (header.size > SMALL_BYTES) return this.writeLarge(path, header, body);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const file = openSync(join(this.root, path), 'wx', 0o600);
    try {
      for (const chunk of chunks) writeFileSync(file, chunk);
      fchmodSync(file, modeOf(header));
      futimesSync(file, timeOf(header), timeOf(header));
    } finally {
      closeSync(file);
    }
  }

  private async writeLarge(path: string, header: TarHeader, body: ParsedTarEntry['body']): Promise<void> {
    const file = await open(join(this.root, path), 'wx', 0o600);
    try {
      for await (const chunk of body) await file.writeFile(chunk);
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
