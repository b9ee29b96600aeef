import { constants } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The folder of the workdir through which a command and the runner talk. */
const FOLDER = '.runledger';

/**
 * A file of the workdir into which a command writes for the runner: a sandboxed command can write nowhere else. The command may have put
 * anything in its place since: only a regular file with one name is read, never a link.
 */
export class CommandFile {
  private readonly path: string;

  private constructor(
    workdir: string,
    /** Relative to the workdir. */
    readonly relativePath: string,
  ) {
    this.path = join(workdir, relativePath);
  }

  /** Makes fresh, empty files with these names for one attempt. Whatever earlier commands left there must not be followed or read. */
  static async createAll<Name extends string>(
    workdir: string,
    names: readonly Name[],
  ): Promise<Record<Name, CommandFile>> {
    await rm(join(workdir, FOLDER), { recursive: true, force: true });
    await mkdir(join(workdir, FOLDER), { mode: 0o777 });
    const files = names.map((name) => [name, new CommandFile(workdir, `${FOLDER}/${name}`)] as const);
    for (const [, file] of files) await (await open(file.path, 'wx', 0o666)).close();
    return Object.fromEntries(files) as Record<Name, CommandFile>;
  }

  /**
   * @param maxBytes of the beginning, or of the end
   * @returns the text, or in a few words what is there instead
   */
  async read(maxBytes: number, from: 'start' | 'end' = 'start'): Promise<{ text: string } | { problem: string }> {
    const folder = await open(
      dirname(this.path),
      constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
    ).catch(() => null);
    if (folder === null) return { problem: 'its folder was removed or replaced' };
    try {
      const file = await open(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
        () => null,
      );
      if (file === null) return { problem: 'it was removed or replaced' };
      try {
        const found = await file.stat();
        if (!found.isFile() || found.nlink !== 1) return { problem: 'it is not a regular file any more' };
        const start = from === 'start' ? 0 : Math.max(0, found.size - maxBytes);
        const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, start);
        return { text: buffer.subarray(0, bytesRead).toString('utf8') };
      } finally {
        await file.close();
      }
    } finally {
      await folder.close();
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
