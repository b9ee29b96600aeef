import { Body, type PipeTransform } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { parse as parseJsonLeniently, printParseErrorCode, visit, type ParseError } from 'jsonc-parser';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { AppError, messageOf } from '#kernel';

/** A body as it came: it is read once the caller is known, so that strangers cost no parsing and hear 401 before anything else. */
export class UnreadBody {
  constructor(
    private readonly text: string,
    private readonly read: (text: string) => unknown,
  ) {}

  /** @throws AppError MALFORMED_BODY with line and column */
  value(): unknown {
    return this.read(this.text);
  }
}

/** Bodies are JSON, or YAML for people with curl; everything else is 415. */
export function registerBodyParsers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const accept = (types: string[], read: (text: string) => unknown): void =>
    fastify.addContentTypeParser(
      types,
      { parseAs: 'string' },
      async (_request: unknown, body: string) => new UnreadBody(body, read),
    );
  accept(['application/json'], parseJsonBody);
  accept(['application/yaml', 'application/x-yaml', 'text/yaml'], parseYamlBody);
}

class ReadBodyPipe implements PipeTransform<unknown, unknown> {
  transform(body: unknown): unknown {
    if (body instanceof UnreadBody) return body.value();
    throw new AppError('MALFORMED_BODY', 'The body is empty; a JSON object was expected.');
  }
}

/** The same where everything in the body may be left out, and so may the body. */
class ReadOptionalBodyPipe implements PipeTransform<unknown, unknown> {
  transform(body: unknown): unknown {
    return body instanceof UnreadBody ? body.value() : {};
  }
}

const pipe = new ReadBodyPipe();
const optionalPipe = new ReadOptionalBodyPipe();

/** The value of the request's body. */
export function ParsedBody(): ParameterDecorator {
  return Body(pipe);
}

/** The value of the request's body, or an empty object when there is none. */
export function OptionalBody(): ParameterDecorator {
  return Body(optionalPipe);
}

/** @throws AppError MALFORMED_BODY with line and column */
export function parseJsonBody(body: string): unknown {
  if (body.trim() === '') throw new AppError('MALFORMED_BODY', 'The body is empty; a JSON object was expected.');
  try {
    const value: unknown = JSON.parse(body);
    refuseDuplicateNames(body);
    return value;
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof RangeError) throw malformed('JSON', 'it is nested too deeply', undefined);
    // V8 names the place of some mistakes only; a second, tolerant parser names all of them.
    const first = firstMistake(body);
    if (first === undefined) throw malformed('JSON', messageOf(error), undefined);
    throw malformed('JSON', inWords(printParseErrorCode(first.error)), positionAt(body, first.offset));
  }
}

/** @throws AppError MALFORMED_BODY where the body is nested more deeply than the parser can go */
function firstMistake(body: string): ParseError | undefined {
  const mistakes: ParseError[] = [];
  try {
    parseJsonLeniently(body, mistakes, { disallowComments: true, allowTrailingComma: false });
  } catch (error) {
    if (error instanceof RangeError) throw malformed('JSON', 'it is nested too deeply', undefined);
    throw error;
  }
  return mistakes[0];
}

/** JSON.parse takes the last of two equal names and says nothing; a record must hold what its author sees. YAML refuses them itself. */
function refuseDuplicateNames(body: string): void {
  const open: Set<string>[] = [];
  visit(body, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty: (name, offset) => {
      const names = open.at(-1);
      if (names?.has(name) === true) {
        throw malformed(
          'JSON',
          `the name ${JSON.stringify(name)} stands twice in one object`,
          positionAt(body, offset),
        );
      }
      names?.add(name);
    },
  });
}

/** @throws AppError MALFORMED_BODY with line and column */
export function parseYamlBody(body: string): unknown {
  try {
    // Aliases can blow a small text up to a huge value; no definition needs many.
    return parseYaml(body, { maxAliasCount: 50, prettyErrors: true });
  } catch (error) {
    const start = error instanceof YAMLParseError ? error.linePos?.[0] : undefined;
    throw malformed('YAML', yamlReason(error), start && { line: start.line, column: start.col });
  }
}

/** The library's sentence without the place, which is said already, and without advice for programmers. */
function yamlReason(error: unknown): string {
  const [sentence = ''] = messageOf(error).split('\n');
  return sentence.replace(/ at line \d+, column \d+:?$/, '').replace(/; please use .*$/, '');
}

interface Position {
  line: number;
  column: number;
}

function malformed(language: string, reason: string, position: Position | undefined): AppError {
  const where = position === undefined ? '' : ` at line ${position.line}, column ${position.column}`;
  return new AppError('MALFORMED_BODY', `The body is not valid ${language}${where}: ${reason}`);
}

function positionAt(body: string, offset: number): Position {
  const before = body.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** `CommaExpected` reads "comma expected". */
function inWords(code: string): string {
  return code.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
