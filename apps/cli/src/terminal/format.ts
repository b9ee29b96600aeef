import stringWidth from 'string-width';
import { stripVTControlCharacters } from 'node:util';

/** `312 ms`, `1.2 s`, `2 m 03 s`, `1 h 02 m`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} m`;
}

/** `812 B`, `12.4 kB`, `3.1 MB`: powers of 1000, as in the SI. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function formatAge(time: string, now: number): string {
  const minutes = Math.floor((now - Date.parse(time)) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / (24 * 60))} days ago`;
}

/** `in 5 min`, `in 3 h`, `in 2 days`, `over`. */
export function formatUntil(time: string, now: number): string {
  const minutes = Math.ceil((Date.parse(time) - now) / 60_000);
  if (minutes <= 0) return 'over';
  if (minutes < 60) return `in ${minutes} min`;
  if (minutes < 48 * 60) return `in ${Math.floor(minutes / 60)} h`;
  return `in ${Math.floor(minutes / (24 * 60))} days`;
}

/** The start of a hash, enough to recognise it. */
export function shortHash(hash: string): string {
  return `${hash.slice(0, 8)}…`;
}

/**
 * What a job wrote, made safe for a terminal: no escape sequences, no cursor movements, no bell; tabs as spaces. Of a line that
 * rewrites itself with carriage returns (a progress bar) the last version stays.
 */
export function cleanLine(line: string): string {
  const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  return stripVTControlCharacters(last)
    .replaceAll('\t', '    ')
    .replace(/\p{Cc}/gu, '');
}

/** Columns that the text takes on a terminal; colours take none. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** Puts `right` at the right edge, or after two spaces where there is no room. */
export function alignRight(left: string, right: string, columns: number): string {
  const gap = columns - widthOf(left) - widthOf(right);
  return `${left}${' '.repeat(Math.max(2, gap))}${right}`;
}

/** `1 step`, `3 steps`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Breaks uncoloured text into lines of a width, between words; a word that is wider itself is broken where it has to be. */
export function wrap(text: string, columns: number): string[] {
  if (widthOf(text) <= columns) return [text];
  const lines: string[] = [];
  let line = '';
  const end = (): void => {
    if (line.trim() !== '') lines.push(line.trimEnd());
    line = '';
  };
  for (const piece of text.match(/\s+|\S+/gu) ?? []) {
    const isSpace = piece.trim() === '';
    if (widthOf(line) + widthOf(piece) <= columns) {
      // The spaces of a break are gone with it; those that indent the text stay.
      if (!isSpace || line !== '' || lines.length === 0) line += piece;
      continue;
    }
    end();
    if (isSpace) continue;
    const parts = broken(piece, columns);
    line = parts.pop() ?? '';
    lines.push(...parts);
  }
  end();
  return lines;
}

function broken(word: string, columns: number): string[] {
  const parts: string[] = [];
  let part = '';
  let width = 0;
  for (const character of word) {
    const more = widthOf(character);
    if (part !== '' && width + more > columns) {
      parts.push(part);
      part = '';
      width = 0;
    }
    part += character;
    width += more;
  }
  return [...parts, part];
}

/** Cuts uncoloured text to a width, with `…` as its last column. */
export function truncate(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let cut = '';
  for (const character of text) {
    if (widthOf(cut + character) > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}
