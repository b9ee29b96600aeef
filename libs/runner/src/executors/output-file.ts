import { mkdir, open, rm } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { AppError, type JsonObject } from '#kernel';
import { parseOutputs } from '../outputs/parse-outputs.js';

/** More than the parser accepts, so that it is the parser that says so. */
const MAX_READ_BYTES = 128 * 1024;

const FOLDER = '.runledger';

/** The file into which a command writes its outputs: in the workdir, because a sandboxed command can write nowhere else. */
export class OutputFile {
  private constructor(
    private readonly path: string,
    /** Relative to the workdir. */
    readonly relativePath: string,
  ) {}

  /** Makes a fresh, empty file for one attempt. */
  static async create(workdir: string, stepKey: string, attempt: number): Promise<OutputFile> {
    const relativePath = `${FOLDER}/output-${stepKey}-${attempt}`;
    const file = new OutputFile(join(workdir, relativePath), relativePath);
    // Whatever earlier commands left under this name must not be followed or read: the folder is made anew.
    await rm(join(workdir, FOLDER), { recursive: true, force: true });
    await mkdir(join(workdir, FOLDER), { mode: 0o777 });
    await (await open(file.path, 'wx', 0o666)).close();
    return file;
  }

  /**
   * Reads and removes it. The command may have put anything in its place: only a regular file with one name is read, never a link.
   * @throws AppError OUTPUT_INVALID
   */
  async take(): Promise<JsonObject> {
    try {
      return parseOutputs(await this.read()).outputs;
    } finally {
      await rm(this.path, { recursive: true, force: true });
    }
  }

  private async read(): Promise<string> {
    const folder = await open(
      join(this.path, '..'),
      constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
    ).catch(() => null);
    if (folder === null) throw invalid('the folder of $RUNLEDGER_OUTPUT was removed or replaced');
    try {
      const file = await open(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
        () => null,
      );
      if (file === null) throw invalid('the file named by $RUNLEDGER_OUTPUT was removed or replaced');
      try {
        const found = await file.stat();
        if (!found.isFile() || found.nlink !== 1) throw invalid('$RUNLEDGER_OUTPUT is not a regular file any more');
        const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_READ_BYTES), 0, MAX_READ_BYTES, 0);
        return buffer.subarray(0, bytesRead).toString('utf8');
      } finally {
        await file.close();
      }
    } finally {
      await folder.close();
    }
  }
}

function invalid(message: string): AppError {
  return new AppError('OUTPUT_INVALID', message);
}
