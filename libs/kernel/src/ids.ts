import { v7, validate } from 'uuid';

/** A new UUID v7 (RFC 9562): its first 48 bits are the time in milliseconds, so ids sort by creation. */
export function newId(): string {
  return v7();
}

/** True for any textual UUID, the form in which all ids travel. */
export function isId(text: string): boolean {
  return validate(text);
}
