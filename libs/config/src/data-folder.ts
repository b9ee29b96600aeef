import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, messageOf } from '#kernel';

/**
 * Makes the data folder, for its owner alone, where it is missing: keys, passwords and tenants' files will be in it.
 * @param folder absolute
 * @throws AppError CONFIG_INVALID with the reason when there can be none, or one that cannot be written to
 */
export async function makeDataFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new AppError(
      'CONFIG_INVALID',
      `the data folder ${folder} cannot be used: ${reasonOf(error)}; choose another with --data-dir or DATA_DIR`,
      { cause: error },
    );
  }
}

/** One component after the other: Node's recursive `mkdir` never returns below folders that say ENOENT to it, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  const parent = dirname(folder);
  if (parent !== folder && !(await exists(folder))) await makeFolder(parent);
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    // It is there already, or somebody else has just made it; the root says EISDIR or EROFS on some systems.
    if (!(await exists(folder))) throw error;
    if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is not a folder`, { cause: error });
  }
}

/** False also for what may not be looked at: making it says why. */
async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function reasonOf(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `no permission for ${path}`;
    case 'EROFS':
      return `${path} is on a read-only file system`;
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full';
    case 'ENOENT':
      return `${path} cannot be made`;
    case 'ENAMETOOLONG':
      return 'its name is too long';
    default:
      return messageOf(error);
  }
}
