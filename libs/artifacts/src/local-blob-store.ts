import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError, messageOf } from '#kernel';
import type { BlobInfo, BlobStore } from './blob-store.js';

/** Part of a key: no empty one, none with a leading dot (so neither `.` nor `..`, nor our own folder for unfinished files). */
const KEY = /^(?!\.)[A-Za-z0-9._=-]{1,200}(\/(?!\.)[A-Za-z0-9._=-]{1,200}){0,15}$/;

const UNFINISHED = '.unfinished';

/** Blobs as files below one folder: complete under their key, or not there at all, whenever the process or the machine stops. */
export class LocalBlobStore implements BlobStore {
  constructor(private readonly root: string) {}

  /** @throws AppError STORAGE_UNAVAILABLE when the disk refuses; whatever `content` failed with */
  async put(key: string, content: Readable): Promise<BlobInfo> {
    const target = this.pathOf(key);
    const unfinished = join(this.root, UNFINISHED, randomUUID());
    try {
      await this.onDisk(() =>
        Promise.all([mkdir(dirname(unfinished), { recursive: true }), mkdir(dirname(target), { recursive: true })]),
      );
      const written = await this.write(unfinished, content);
      await this.onDisk(async () => {
        await rename(unfinished, target);
        await syncFolder(dirname(target));
      });
      return { key, ...written };
    } catch (error) {
      content.destroy();
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async get(key: string, range?: { start: number; end: number }): Promise<Readable> {
    const file = await open(this.pathOf(key), 'r').catch((error: unknown) => {
      if (isMissing(error)) throw new AppError('NOT_FOUND', `there is no blob ${key}`, { details: { key } });
      throw this.unavailable(error);
    });
    return file.createReadStream(range);
  }

  async size(key: string): Promise<number | null> {
    try {
      const found = await stat(this.pathOf(key));
      return found.isFile() ? found.size : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error instanceof AppError ? error : this.unavailable(error);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.pathOf(key);
    await this.onDisk(() => rm(path, { force: true }));
  }

  private async write(path: string, content: Readable): Promise<{ sizeBytes: number; sha256: string }> {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const file = await this.onDisk(() => open(path, 'wx', 0o600));
    try {
      for await (const chunk of content) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
        hash.update(bytes);
        sizeBytes += bytes.length;
        await this.onDisk(() => file.writeFile(bytes));
      }
      await this.onDisk(() => file.sync());
    } finally {
      await file.close();
    }
    return { sizeBytes, sha256: hash.digest('hex') };
  }

  private pathOf(key: string): string {
    if (!KEY.test(key)) throw new AppError('VALIDATION_FAILED', `"${key}" is not a blob key`, { details: { key } });
    return join(this.root, key);
  }

  private async onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
    return work().catch((error: unknown) => {
      throw this.unavailable(error);
    });
  }

  private unavailable(cause: unknown): AppError {
    const message = `the blob folder ${this.root} cannot be used: ${messageOf(cause)}`;
    return new AppError('STORAGE_UNAVAILABLE', message, { retryable: true, cause });
  }
}

/** A new name outlives a power cut only when its folder has been written too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
