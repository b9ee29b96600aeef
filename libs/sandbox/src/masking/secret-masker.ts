import type { Json } from '#kernel';
import { ByteAutomaton } from './byte-automaton.js';
import { CandidateScan, addSpan, type Span } from './candidate-scan.js';
import { secretForms } from './secret-forms.js';

/** What stands in the place of a secret. */
export const MASK = '***';
const MASK_BYTES = Buffer.from(MASK);
const LINE_FEED = 0x0a;

/** A line that ends in so little of a secret is shown although the secret might go on in the next line. */
const HARMLESS_DEPTH = 8;

interface Automata {
  plain: ByteAutomaton;
  folded: ByteAutomaton;
}

/**
 * Takes secrets out of what is about to be stored or shown, in all the forms of `secretForms`. Bytes that belong to several
 * occurrences, or to occurrences that touch, become one mark. The result does not depend on how the bytes are cut into pieces.
 */
export class SecretMasker {
  private readonly automata: Automata | null;

  /** @param secrets empty ones do not count; without any, everything passes as it is */
  constructor(secrets: readonly string[]) {
    const { plain, folded } = secretForms(secrets.filter((secret) => secret !== ''));
    this.automata = plain.size === 0 ? null : { plain: new ByteAutomaton(plain), folded: new ByteAutomaton(folded) };
  }

  /** For one stream of bytes. Streams are masked apart, because a secret is written to one of them. */
  stream(): MaskedStream {
    return this.automata === null ? new UnmaskedStream() : new AutomatonStream(this.automata);
  }

  text(text: string): string {
    if (this.automata === null) return text;
    const stream = this.stream();
    return Buffer.concat([stream.write(Buffer.from(text)), stream.end()]).toString('utf8');
  }

  /** Names and values at every depth; a number that is a secret becomes the mark. */
  json<Value extends Json>(value: Value): Value | Json {
    if (this.automata === null) return value;
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.text(String(value)) === String(value) ? value : MASK;
    if (Array.isArray(value)) return value.map((item) => this.json(item));
    if (typeof value !== 'object' || value === null) return value;
    return this.object(value);
  }

  object(value: { [key: string]: Json }): { [key: string]: Json } {
    if (this.automata === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [this.text(name), this.json(member)]));
  }
}

/** Masks a stream in constant memory: of it, no more is held back than what may yet turn out to be a secret. */
export interface MaskedStream {
  /** @returns what is certain by now, masked */
  write(bytes: Buffer): Buffer;
  /** @returns the held lines that must not wait for their next line: only bytes that are hardly the beginning of anything */
  release(): Buffer;
  /** @returns the rest */
  end(): Buffer;
}

class UnmaskedStream implements MaskedStream {
  write(bytes: Buffer): Buffer {
    return bytes;
  }

  release(): Buffer {
    return Buffer.alloc(0);
  }

  end(): Buffer {
    return Buffer.alloc(0);
  }
}

class AutomatonStream implements MaskedStream {
  private readonly scans: CandidateScan[];
  /** Bytes from `heldFrom` on that were not given out. */
  private held: Buffer = Buffer.alloc(0);
  private heldFrom = 0;
  /** Spans that reach beyond `heldFrom`, in order and apart from each other. */
  private spans: Span[] = [];
  /** Where the mark that was given out last ends: what is masked next to it needs no other. */
  private maskedUpTo = -1;

  constructor({ plain, folded }: Automata) {
    this.scans = [new CandidateScan(plain, false), new CandidateScan(folded, true)];
  }

  write(bytes: Buffer): Buffer {
    const found = this.scans.map((scan) => {
      const spans: Span[] = [];
      scan.feed(bytes, spans);
      return spans;
    });
    this.held = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
    if (found.some((spans) => spans.length > 0)) this.spans = joined([this.spans, ...found].flat());
    return this.giveOut(Math.min(...this.scans.map((scan) => scan.candidateStart)));
  }

  release(): Buffer {
    const lineEnd = this.held.lastIndexOf(LINE_FEED);
    if (lineEnd < 0) return Buffer.alloc(0);
    const end = this.heldFrom + lineEnd + 1;
    const harmless = this.scans.every((scan) => scan.candidateStart >= end || scan.depth < HARMLESS_DEPTH);
    return harmless ? this.giveOut(end) : Buffer.alloc(0);
  }

  end(): Buffer {
    return this.giveOut(this.heldFrom + this.held.length);
  }

  private giveOut(upTo: number): Buffer {
    const from = this.heldFrom;
    // After a release a candidate may begin before what was given out already.
    const end = Math.max(from, upTo);
    const parts: Buffer[] = [];
    let position = from;
    for (const span of this.spans) {
      if (span.start >= end) break;
      const start = Math.max(span.start, position);
      if (start > position) parts.push(this.held.subarray(position - from, start - from));
      if (start > this.maskedUpTo) parts.push(MASK_BYTES);
      position = Math.min(span.end, end);
      this.maskedUpTo = position;
    }
    if (position < end) parts.push(this.held.subarray(position - from, end - from));
    this.spans = this.spans.filter((span) => span.end > end);
    this.held = this.held.subarray(end - from);
    this.heldFrom = end;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }
}

function joined(spans: Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.sort((one, other) => one.end - other.end)) addSpan(result, span);
  return result;
}
