import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { AppError } from '#kernel';

/** True when both are resolved paths and `path` is `root` or below it. */
export function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** The refusal of anything that leads out of a workdir. `what` is the pattern or path as the job names it. */
export function outsideWorkdir(what: string): AppError {
  return new AppError('ARTIFACT_OUTSIDE_WORKDIR', `"${what}" leads out of the workdir; artifacts are files inside it`, {
    details: { path: what },
  });
}

/** The workdir as the file system knows it, links resolved. @throws AppError WORKDIR_MISSING */
export async function resolveWorkdir(workdir: string): Promise<string> {
  return realpath(workdir).catch((cause: unknown) => {
    throw new AppError('WORKDIR_MISSING', `there is no folder ${workdir} on this host`, { cause });
  });
}
