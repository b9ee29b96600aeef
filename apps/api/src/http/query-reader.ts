import { AppError, isId, type FieldError } from '#kernel';

/** Query parameters as Fastify parses them: repeated ones are arrays. */
export type RawQuery = Record<string, string | string[] | undefined>;

/**
 * Reads the parameters of one request by rule and gathers everything that is wrong with them, unknown ones included.
 * Call `done()` at the end.
 */
export class QueryReader {
  private readonly errors: FieldError[] = [];
  private readonly known = new Set<string>();

  constructor(private readonly query: RawQuery) {}

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.single(name);
    if (value === undefined) return fallback;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    this.broken(name, 'range', `must be a whole number from ${min} to ${max}`);
    return fallback;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | null {
    const value = this.single(name);
    if (value === undefined) return null;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) this.broken(name, 'enum', `must be one of ${choices.join(', ')}`);
    return chosen ?? null;
  }

  matching(name: string, pattern: RegExp): string | null {
    const value = this.single(name);
    if (value === undefined) return null;
    if (!pattern.test(value)) this.broken(name, 'pattern', `must match ${pattern.source}`);
    return value;
  }

  /** Text of 1 to `longest` characters. */
  text(name: string, longest: number): string | null {
    const value = this.single(name);
    if (value === undefined) return null;
    if (!isText(value, longest)) this.broken(name, 'length', `must have 1 to ${longest} characters`);
    return value;
  }

  /** A parameter that may be given several times. */
  texts(name: string, most: number, longest: number): string[] {
    this.known.add(name);
    const values = [this.query[name] ?? []].flat();
    if (values.length > most) this.broken(name, 'count', `must be given at most ${most} times`);
    if (values.some((value) => !isText(value, longest)))
      this.broken(name, 'length', `must have 1 to ${longest} characters`);
    return values;
  }

  /** The parameters whose names begin with `prefix.`, by the rest of their names. */
  members(prefix: string, most: number, longest: { name: number; value: number }): Record<string, string> {
    const found: [string, string][] = [];
    for (const name of Object.keys(this.query).filter((each) => each.startsWith(`${prefix}.`))) {
      const member = name.slice(prefix.length + 1);
      const value = this.single(name);
      if (value === undefined) continue;
      if (!isText(member, longest.name))
        this.broken(`${prefix}.*`, 'length', `must have a name of 1 to ${longest.name} characters`);
      else if (!isText(value, longest.value)) this.broken(name, 'length', `must have 1 to ${longest.value} characters`);
      else found.push([member, value]);
    }
    if (found.length > most) this.broken(`${prefix}.*`, 'count', `must be at most ${most}`);
    return Object.fromEntries(found);
  }

  /** `true` or `false`. */
  flag(name: string): boolean {
    return this.choice(name, ['true', 'false']) === 'true';
  }

  /** An id, or one of the words that stand for something else. */
  id(name: string, words: readonly string[] = []): string | null {
    const value = this.single(name);
    if (value === undefined) return null;
    if (!isId(value) && !words.includes(value)) this.broken(name, 'id', `must be ${['a UUID', ...words].join(' or ')}`);
    return value;
  }

  /** What another reading method gave, which has to be there. */
  required(name: string, value: string | null): string {
    if (value === null && this.query[name] === undefined) this.broken(name, 'required', 'must be given');
    return value ?? '';
  }

  /** A cursor that `idCursor` made. */
  idCursor(name = 'cursor'): string | null {
    return this.cursor(name, (text) => (isId(text) ? text : null));
  }

  /** A cursor that `seqCursor` made: the number of the last event seen. */
  seqCursor(name = 'cursor'): number {
    return this.cursor(name, (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null)) ?? 0;
  }

  /** @throws AppError VALIDATION_FAILED naming every parameter that breaks a rule */
  done(): void {
    for (const name of Object.keys(this.query))
      if (!this.known.has(name)) this.broken(name, 'unknown', 'is not a parameter of this operation');
    if (this.errors.length === 0) return;
    throw new AppError('VALIDATION_FAILED', this.errors.map((error) => error.message).join('; '), {
      fields: this.errors,
    });
  }

  private cursor<Value>(name: string, decode: (text: string) => Value | null): Value | null {
    const value = this.single(name);
    if (value === undefined) return null;
    const text = Buffer.from(value, 'base64url').toString('utf8');
    // Decoding forgives everything: only what encodes back to the same text was made by us.
    const decoded = Buffer.from(text).toString('base64url') === value ? decode(text) : null;
    if (decoded === null)
      this.broken(name, 'cursor', 'is not a cursor of this list: pass `nextCursor` of the previous page as it is');
    return decoded;
  }

  private single(name: string): string | undefined {
    this.known.add(name);
    const value = this.query[name];
    if (!Array.isArray(value)) return value;
    this.broken(name, 'single', 'must be given once');
    return undefined;
  }

  private broken(field: string, rule: string, message: string): void {
    this.errors.push({ field, rule, message: `${field} ${message}` });
  }
}

/** Text that PostgreSQL can hold, of 1 to `longest` characters. */
function isText(value: string, longest: number): boolean {
  return value.length >= 1 && value.length <= longest && !value.includes('\0');
}

/** An opaque cursor after this id or number. */
export function cursorAfter(last: string | number): string {
  return Buffer.from(String(last)).toString('base64url');
}
