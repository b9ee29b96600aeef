import { AppError, type FieldError } from '#kernel';

/**
 * Reads the members of a small JSON body by rule and gathers everything that is wrong with them, unknown ones included. A member that is
 * absent or null reads as null. Call `done()` at the end.
 */
export class BodyReader {
  private readonly errors: FieldError[] = [];
  private readonly known = new Set<string>();
  private readonly body: Record<string, unknown>;

  /** @throws AppError VALIDATION_FAILED for anything but an object */
  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      const message = 'the body must be an object';
      throw new AppError('VALIDATION_FAILED', message, { fields: [{ field: '', rule: 'isObject', message }] });
    }
    this.body = { ...body };
  }

  /** Text of `min` to `max` characters. */
  text(name: string, min: number, max: number): string | null {
    const value = this.member(name);
    if (value === null) return null;
    if (typeof value === 'string' && value.length >= min && value.length <= max && !value.includes('\0')) return value;
    this.broken(name, 'length', `must be text of ${min} to ${max} characters`);
    return null;
  }

  boolean(name: string): boolean | null {
    const value = this.member(name);
    if (value === null || typeof value === 'boolean') return value;
    this.broken(name, 'isBoolean', 'must be true or false');
    return null;
  }

  integer(name: string, min: number, max: number): number | null {
    const value = this.member(name);
    if (value === null) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.broken(name, 'range', `must be a whole number from ${min} to ${max}`);
    return null;
  }

  /** True when the member is there, be it null: for bodies in which null means something. */
  has(name: string): boolean {
    return Object.hasOwn(this.body, name);
  }

  /** @throws AppError VALIDATION_FAILED naming every member that breaks a rule */
  done(): void {
    for (const name of Object.keys(this.body))
      if (!this.known.has(name)) this.broken(name, 'unknown', 'is not a field of this request');
    if (this.errors.length === 0) return;
    throw new AppError('VALIDATION_FAILED', this.errors.map((error) => error.message).join('; '), {
      fields: this.errors,
    });
  }

  private member(name: string): unknown {
    this.known.add(name);
    return Object.hasOwn(this.body, name) ? (this.body[name] ?? null) : null;
  }

  private broken(field: string, rule: string, message: string): void {
    this.errors.push({ field, rule, message: `${field} ${message}` });
  }
}
