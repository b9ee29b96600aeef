/** The archive describes itself under this path; no other entry has it. */
export const MANIFEST_PATH = 'manifest.json';

/** Longest name of a file that the usual file systems take, less what a number and an ending need. */
const LONGEST_PART_BYTES = 200;

/**
 * A path inside an archive for each name, all of them different, none absolute, none leading out, none that is also the folder of
 * another, whatever the names say. Ordinary names stay as they are; of equal ones the first keeps its name, and the others get `~2`, `~3`
 * and so on before the ending. The same names in the same order give the same paths.
 */
export function entryPaths(names: string[]): string[] {
  const wanted = names.map(safePath);
  const folders = new Set(wanted.flatMap(foldersOf));
  const reserved = new Set(wanted);
  const used = new Set<string>();
  const tried = new Map<string, number>();
  return wanted.map((path) => {
    let free = path;
    for (let number = tried.get(path) ?? 2; used.has(free) || folders.has(free); number += 1) {
      tried.set(path, number + 1);
      const next = numbered(path, number);
      // A name that somebody has of his own is left to him.
      free = reserved.has(next) ? path : next;
    }
    used.add(free);
    return free;
  });
}

function safePath(name: string): string {
  const parts = name
    .split('/')
    .filter((part) => part !== '')
    .map(safePart);
  if (parts.length === 0) return '_';
  // Neither a file nor a folder may be in the way of the manifest.
  if (parts[0] === MANIFEST_PATH) parts[0] = `${MANIFEST_PATH}_`;
  return parts.join('/');
}

/** What some system takes for a separator, a drive, a wildcard or the end of a line is no part of a name; nor are dots and spaces at its end. */
function safePart(part: string): string {
  const clean = part
    .replace(/[\p{Cc}\p{Surrogate}\\:*?"<>|]/gu, '_')
    .replace(/[. ]+$/, (end) => '_'.repeat(end.length));
  if (Buffer.byteLength(clean) <= LONGEST_PART_BYTES) return clean;
  let short = '';
  let bytes = 0;
  for (const char of clean) {
    bytes += Buffer.byteLength(char);
    if (bytes > LONGEST_PART_BYTES) break;
    short += char;
  }
  return short;
}

function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** `report/a.tar` and 2 give `report/a~2.tar`. */
function numbered(path: string, number: number): string {
  const slash = path.lastIndexOf('/');
  const dot = path.lastIndexOf('.');
  const at = dot > slash + 1 ? dot : path.length;
  return `${path.slice(0, at)}~${number}${path.slice(at)}`;
}
