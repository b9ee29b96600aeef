import { AppError, type Json, type JsonObject } from '#kernel';

/** Bounds of the file that a command writes its outputs to. */
export const OUTPUT_LIMITS = { bytes: 64 * 1024, keys: 200 } as const;

const KEY = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const MAX_DEPTH = 20;

/**
 * Reads the file named in `$RUNLEDGER_OUTPUT`. Each line is `key=value` (the rest of the line, a string), a JSON object whose
 * members become outputs, or `key<<WORD`, whose value is the lines up to a line `WORD`. Blank lines are ignored, a later key wins,
 * and what PostgreSQL cannot store (NUL, lone surrogates) becomes U+FFFD.
 * @throws AppError OUTPUT_INVALID with the line and the reason
 */
export function parseOutputs(text: string): { outputs: JsonObject } {
  if (Buffer.byteLength(text) > OUTPUT_LIMITS.bytes) {
    throw new AppError(
      'OUTPUT_INVALID',
      `the outputs are larger than ${OUTPUT_LIMITS.bytes / 1024} KiB; hand large data on in a file or an artifact`,
    );
  }
  const lines = storable(text)
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const outputs = new Map<string, Json>();
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line.trim() === '') continue;
    if (line.trimStart().startsWith('{')) readObject(line, i, outputs);
    else i = readAssignment(lines, i, outputs);
    if (outputs.size > OUTPUT_LIMITS.keys) throw bad(i, `there are more than ${OUTPUT_LIMITS.keys} outputs`);
  }
  return { outputs: Object.fromEntries(outputs) };
}

/** Reads `key=value` or `key<<WORD` at line `i`; returns the last line that it took. */
function readAssignment(lines: string[], i: number, outputs: Map<string, Json>): number {
  const line = lines[i] ?? '';
  const equals = line.indexOf('=');
  const heredoc = line.indexOf('<<');
  const multiline = heredoc !== -1 && (equals === -1 || heredoc < equals);
  if (!multiline && equals === -1) throw bad(i, `"${shown(line)}" is neither key=value, key<<WORD nor a JSON object`);
  const key = checkedKey(line.slice(0, multiline ? heredoc : equals), i);
  if (!multiline) {
    outputs.set(key, line.slice(equals + 1));
    return i;
  }
  const word = line.slice(heredoc + 2).trim();
  if (word === '') throw bad(i, `${key}<< needs a word that ends the value`);
  const end = lines.indexOf(word, i + 1);
  if (end === -1) throw bad(i, `the value of ${key} has no closing line "${shown(word)}"`);
  outputs.set(key, lines.slice(i + 1, end).join('\n'));
  return end;
}

function readObject(line: string, i: number, outputs: Map<string, Json>): void {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw bad(i, `"${shown(line)}" is not a JSON object`);
  }
  if (typeof value !== 'object' || value === null) throw bad(i, `"${shown(line)}" is not a JSON object`);
  for (const [key, member] of Object.entries(value)) outputs.set(checkedKey(key, i), cleaned(member, i, 1));
}

/** A copy without NUL and lone surrogates, which JSON can bring in as escapes. */
function cleaned(value: unknown, line: number, depth: number): Json {
  if (depth > MAX_DEPTH) throw bad(line, `the JSON is nested deeper than ${MAX_DEPTH}`);
  if (typeof value === 'string') return storable(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw bad(line, 'a number is too large');
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cleaned(item, line, depth + 1));
  const members = Object.entries(value ?? {});
  return Object.fromEntries(members.map(([key, member]) => [storable(key), cleaned(member, line, depth + 1)]));
}

function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}

function checkedKey(key: string, line: number): string {
  if (KEY.test(key) && key !== '__proto__') return key;
  throw bad(
    line,
    `"${shown(key)}" is not a key; a key has letters, digits, _ and -, begins with a letter or _, and has at most 64 characters`,
  );
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function bad(index: number, reason: string): AppError {
  return new AppError('OUTPUT_INVALID', `line ${index + 1} of the outputs: ${reason}`, {
    details: { line: index + 1, reason },
  });
}
