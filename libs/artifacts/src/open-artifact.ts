import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError } from '#kernel';
import { isWithin, outsideWorkdir, resolveWorkdir } from './workdir-path.js';

/** An open file and its size at that moment. */
export interface OpenArtifact {
  content: Readable;
  sizeBytes: number;
}

/**
 * Opens a file that `collectFiles` found. A path that has been exchanged for a link out of the workdir since then is refused: it is the
 * opened file that is judged, not its name.
 * @throws AppError ARTIFACT_NOT_FOUND, ARTIFACT_OUTSIDE_WORKDIR
 */
export async function openArtifact(workdir: string, path: string): Promise<OpenArtifact> {
  const root = await resolveWorkdir(workdir);
  const real = await realpath(join(root, path)).catch(notFound(path));
  if (!isWithin(root, real)) throw outsideWorkdir(path);
  // O_NONBLOCK: a pipe would keep us waiting for a writer.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(notFound(path));
  try {
    if (!isWithin(root, await openedPath(file, real))) throw outsideWorkdir(path);
    const found = await file.stat();
    if (!found.isFile())
      throw new AppError('ARTIFACT_NOT_FOUND', `"${path}" is not a regular file`, { details: { path } });
    return { content: file.createReadStream(), sizeBytes: found.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Where the opened file is: the kernel's word on Linux, elsewhere the path that was opened. */
async function openedPath(file: FileHandle, path: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${file.fd}`) : path;
}

function notFound(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new AppError('ARTIFACT_NOT_FOUND', `the workdir has no readable file "${path}"`, {
      details: { path },
      cause,
    });
  };
}
