import { randomBytes, randomUUID } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, KEY_BYTES, messageOf } from '#kernel';
import type { Config } from './config.js';
import { makeDataFolder } from './data-folder.js';

const FILE = 'master.key';

/** 32 bytes written as 64 hexadecimal digits or in base64; null for anything else. */
export function parseMasterKey(text: string): Buffer | null {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed) ? Buffer.from(trimmed, 'base64url') : null;
}

/** The key that secrets are sealed with: from the configuration, or from a file in the data folder. Read when it is first needed. */
export class MasterKey {
  private known: Buffer | undefined;

  constructor(private readonly config: Pick<Config, 'dataDir' | 'masterKey'>) {
    this.known = config.masterKey;
  }

  /**
   * The key to seal with. Without one, a file is made for its owner alone; of several processes that do so at once, one wins and all have its key.
   * @throws AppError CONFIG_INVALID when the file holds none, or cannot be made
   */
  async forSealing(): Promise<Buffer> {
    return (await this.forOpening()) ?? (await this.make());
  }

  /** The key to open with; null when this process has none. @throws AppError CONFIG_INVALID when the file holds none */
  async forOpening(): Promise<Buffer | null> {
    this.known ??= (await this.read()) ?? undefined;
    return this.known ?? null;
  }

  private get path(): string {
    return join(this.config.dataDir, FILE);
  }

  private async read(): Promise<Buffer | null> {
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw this.unusable(messageOf(error));
    });
    if (text === null) return null;
    const key = parseMasterKey(text);
    if (key === null) throw this.unusable('it does not hold 32 bytes in hexadecimal or base64');
    return key;
  }

  private async make(): Promise<Buffer> {
    await makeDataFolder(this.config.dataDir);
    const unfinished = `${this.path}.${randomUUID()}`;
    try {
      const file = await open(unfinished, 'wx', 0o600);
      try {
        await file.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      // A link, unlike a rename, never replaces what somebody else has put there meanwhile.
      await link(unfinished, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw this.unusable(messageOf(error));
    } finally {
      await rm(unfinished, { force: true });
    }
    const key = await this.forOpening();
    if (key === null) throw this.unusable('it is gone');
    return key;
  }

  private unusable(reason: string): AppError {
    return new AppError('CONFIG_INVALID', `the key file ${this.path} cannot be used: ${reason}`);
  }
}
