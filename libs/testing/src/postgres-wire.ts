/** A message of PostgreSQL's protocol, version 3 (PostgreSQL documentation, "Message Formats"). */
export interface WireMessage {
  /** Its first byte as a character; empty for a startup message, which has none. */
  type: string;
  /** What follows type and length. */
  body: Buffer;
  /** All of it, to be sent on. */
  bytes: Buffer;
}

/** Cuts a stream of bytes into messages. */
export class WireReader {
  private rest: Buffer = Buffer.alloc(0);

  /** @param startup true for a client's stream, whose first message has no type */
  constructor(private startup: boolean) {}

  push(bytes: Buffer): WireMessage[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const messages: WireMessage[] = [];
    for (let message = this.next(); message !== null; message = this.next()) messages.push(message);
    return messages;
  }

  private next(): WireMessage | null {
    const typeLength = this.startup ? 0 : 1;
    if (this.rest.length < typeLength + 4) return null;
    const length = typeLength + this.rest.readInt32BE(typeLength);
    if (this.rest.length < length) return null;
    const bytes = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    this.startup = false;
    return {
      type: bytes.toString('latin1', 0, typeLength),
      body: bytes.subarray(typeLength + 4),
      bytes,
    };
  }
}

/** The zero-terminated strings at the start of a message's body. */
export function wireStrings(body: Buffer, count: number): string[] {
  const strings: string[] = [];
  let at = 0;
  while (strings.length < count && at < body.length) {
    const end = body.indexOf(0, at);
    if (end < 0) break;
    strings.push(body.toString('utf8', at, end));
    at = end + 1;
  }
  return strings;
}
