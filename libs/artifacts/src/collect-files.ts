import * as fs from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { glob } from 'tinyglobby';
import { AppError } from '#kernel';
import { isWithin, outsideWorkdir, resolveWorkdir } from './workdir-path.js';

/** A file of a workdir. */
export interface CollectedFile {
  /** Relative to the workdir, with slashes. */
  path: string;
  absolutePath: string;
  sizeBytes: number;
}

/**
 * Finds the regular files of a workdir that match any of the patterns, sorted by path, each once. Names with a leading dot match only
 * a pattern that says the dot. Pipes, sockets and devices are no files. Links to files inside the workdir count as files; links to
 * folders are not walked.
 * @throws AppError ARTIFACT_OUTSIDE_WORKDIR naming the pattern or the link that leads out
 */
export async function collectFiles(workdir: string, patterns: string[]): Promise<CollectedFile[]> {
  const root = await resolveWorkdir(workdir);
  patterns.forEach(assertInside);
  const found = new Set<string>();
  for (const pattern of patterns) for (const path of await match(root, pattern)) found.add(path);
  const files = await Promise.all([...found].sort().map((path) => describe(root, path)));
  return files.filter((file) => file !== null);
}

/** A pattern is refused for what it says, before anything is looked at. */
function assertInside(pattern: string): void {
  const climbs = /(^|[/{,(|\\])\.\.($|[/},)|])/.test(pattern);
  const absolute = /^!?[{(]*([/\\~]|[A-Za-z]:)/.test(pattern) || /[{,(|]\//.test(pattern);
  if (climbs || absolute || pattern.includes('\0')) throw outsideWorkdir(pattern);
  if (pattern === '' || pattern.startsWith('!')) {
    throw new AppError('VALIDATION_FAILED', `"${pattern}" is no pattern of files to keep`);
  }
}

async function match(root: string, pattern: string): Promise<string[]> {
  const leading: string[] = [];
  const paths = await glob(pattern, {
    cwd: root,
    dot: false,
    onlyFiles: true,
    followSymbolicLinks: false,
    expandDirectories: false,
    fs: { readdir: readdirInside(root, leading) },
  });
  if (leading.length > 0) throw outsideWorkdir(pattern);
  return paths;
}

type ReadFolder = (
  path: string,
  options: { withFileTypes: true },
  done: (error: NodeJS.ErrnoException | null, entries: fs.Dirent[]) => void,
) => void;

/**
 * `readdir` for the walk: a folder that is outside, because a link among the fixed parts of the pattern leads there, shows no entries;
 * and links are shown as files, so that they are matched (and judged by `describe`) and never walked.
 */
function readdirInside(root: string, leading: string[]): typeof fs.readdir {
  const read: ReadFolder = (path, options, done) => {
    fs.realpath(path, (missing, real) => {
      if (missing !== null) return done(null, []);
      if (!isWithin(root, real)) {
        leading.push(path);
        return done(null, []);
      }
      fs.readdir(path, options, (error, entries) => done(error, error === null ? entries.map(linkAsFile) : []));
    });
  };
  return Object.assign(read, { __promisify__: fs.readdir.__promisify__ }) as typeof fs.readdir;
}

function linkAsFile(entry: fs.Dirent): fs.Dirent {
  if (!entry.isSymbolicLink()) return entry;
  return Object.assign(entry, { isSymbolicLink: () => false, isFile: () => true });
}

async function describe(root: string, path: string): Promise<CollectedFile | null> {
  const absolutePath = join(root, path);
  const real = await realpath(absolutePath).catch(() => null);
  if (real === null) {
    // A link to nowhere may lead to a place outside that is merely not there yet.
    if ((await lstat(absolutePath)).isSymbolicLink()) throw outsideWorkdir(path);
    return null;
  }
  if (!isWithin(root, real)) throw outsideWorkdir(path);
  const found = await stat(real);
  return found.isFile() ? { path, absolutePath, sizeBytes: found.size } : null;
}
