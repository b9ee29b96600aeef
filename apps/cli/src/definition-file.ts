import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse as parseJsonLeniently, printParseErrorCode, type ParseError } from 'jsonc-parser';
import { LineCounter, isNode, parseAllDocuments, type Document, type YAMLParseError } from 'yaml';
import type { FieldError } from '#kernel';
import { UsageError } from './failure.js';

/** A job definition as it was written, with the way back from a field to its line. */
export interface DefinitionFile {
  value: unknown;
  /** `job.yaml:14:11` for a field such as `steps[2].phase`; of the nearest thing around it where the field is missing. */
  locate(field: string): string;
}

/**
 * Reads a YAML 1.2 or JSON file (JSON is YAML), or standard input for `-`.
 * @throws UsageError with line, column and the offending line
 */
export async function readDefinition(path: string): Promise<DefinitionFile> {
  const name = path === '-' ? '<stdin>' : path;
  return parseDefinition(path === '-' ? await text(process.stdin) : await readText(path), name);
}

/** @throws UsageError */
export function parseDefinition(source: string, name: string): DefinitionFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source, { lineCounter: lines, prettyErrors: true });
  // An empty stream is no array in this library's types, and has no first document.
  const document: Document | undefined = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) throw new UsageError(`${name} is empty`, [], 'MALFORMED_BODY');
  const [error] = document.errors;
  if (error !== undefined) {
    throw isMeantAsJson(source, name)
      ? malformedJson(source, name, lines, error)
      : malformed(name, error.message, error.linePos?.[0]);
  }
  if (documents.length > 1)
    throw new UsageError(`${name} holds ${documents.length} documents; a job definition is one`, [], 'MALFORMED_BODY');
  const value: unknown = toValue(document, name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${name} must be a mapping with "name" and "steps"`, [], 'MALFORMED_BODY');
  }
  return { value, locate: (field) => locate(document, lines, name, field) };
}

/** One line for each wrong field, with the place in the file. */
export function fieldErrorLines(errors: FieldError[], definition: Pick<DefinitionFile, 'locate'>): string[] {
  return errors.map(
    ({ field, message }) =>
      `${definition.locate(field)}  ${message.startsWith(field) ? message : `${field}: ${message}`}`,
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : code === 'EACCES'
            ? 'permission denied'
            : String(error);
    throw new UsageError(`cannot read ${path}: ${reason}`);
  }
}

/** The message of the parser is its first line; the offending line with a mark below it follows. */
function malformed(name: string, message: string, position: { line: number; col: number } | undefined): UsageError {
  const [first = '', ...frame] = message.split('\n').filter((line) => line.trim() !== '');
  const sentence = first.replace(/ at line \d+, column \d+:?$/, '').replace(/; please use .*$/, '');
  const place = position === undefined ? name : `${name}:${position.line}:${position.col}`;
  return new UsageError(`${place}: ${sentence}`, frame, 'MALFORMED_BODY');
}

function isMeantAsJson(source: string, name: string): boolean {
  return name.endsWith('.json') || source.trimStart().startsWith('{');
}

/** A parser that knows JSON alone says what is missing; the one for YAML would speak of flow mappings. */
function malformedJson(source: string, name: string, lines: LineCounter, error: YAMLParseError): UsageError {
  const mistakes: ParseError[] = [];
  parseJsonLeniently(source, mistakes, { disallowComments: true, allowTrailingComma: false });
  const [first] = mistakes;
  const repeated = error.code === 'DUPLICATE_KEY' && first === undefined;
  const position = lines.linePos(first?.offset ?? error.pos[0]);
  const sentence = first === undefined ? 'a value was expected' : inWords(printParseErrorCode(first.error));
  const line = source.split('\n')[position.line - 1] ?? '';
  const frame = line === '' ? '' : `\n${line.trimEnd()}\n${' '.repeat(Math.max(0, position.col - 1))}^`;
  const reason = repeated ? 'a name stands twice in one object' : sentence;
  return malformed(name, `not valid JSON: ${reason}${frame}`, position);
}

/** `CommaExpected` reads "comma expected". */
function inWords(code: string): string {
  return code.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}

/** Aliases that explode, or that refer to nothing, show only now. */
function toValue(document: Document, name: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new UsageError(`${name}: ${error instanceof Error ? error.message : String(error)}`, [], 'MALFORMED_BODY');
  }
}

function locate(document: Document, lines: LineCounter, name: string, field: string): string {
  const path = [...field.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node = document.getIn(path.slice(0, depth), true);
    if (!isNode(node) || !node.range) continue;
    const { line, col } = lines.linePos(node.range[0]);
    return `${name}:${line}:${col}`;
  }
  return name;
}
