import type { ByteAutomaton } from './byte-automaton.js';

/** Bytes from `start` up to, but not including, `end`, counted from the beginning of the stream. */
export interface Span {
  start: number;
  end: number;
}

const [TAB, LINE_FEED, CARRIAGE_RETURN, SPACE, COLON] = [0x09, 0x0a, 0x0d, 0x20, 0x3a];

/** So many bytes of layout in a row still belong to one folded text: a line break and an indentation. */
const LONGEST_FOLD = 32;

/** Follows one automaton along one stream: which spans matched, and from where on bytes may yet become part of a match. */
export class CandidateScan {
  private state = 0;
  private position = 0;
  /** Where layout was passed over inside the present candidate, oldest first. */
  private passed: number[] = [];
  private passedInARow = 0;

  /**
   * @param folded the patterns have no layout of their own and match across it: line breaks wherever an encoder put them, and what groups
   *   hexadecimal digits. A lone letter before a space is not held for that.
   */
  constructor(
    private readonly automaton: ByteAutomaton,
    private readonly folded: boolean,
  ) {}

  /** How much of a pattern the present candidate has. */
  get depth(): number {
    return this.automaton.depth[this.state] ?? 0;
  }

  /** Nothing before this byte will ever be part of a match that has not been told. */
  get candidateStart(): number {
    return this.startOf(this.depth, this.position);
  }

  /** Takes the next bytes and adds the spans that match to `spans`, in the order of their ends. */
  feed(bytes: Uint8Array, spans: Span[]): void {
    const { matched, rows, rowed } = this.automaton;
    const { folded, position } = this;
    let { state, passedInARow } = this;
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] ?? 0;
      if (
        folded &&
        state !== 0 &&
        byte <= COLON &&
        passedInARow < LONGEST_FOLD &&
        this.passes(byte, state, passedInARow)
      ) {
        this.passed.push(position + index);
        passedInARow += 1;
        continue;
      }
      passedInARow = 0;
      state = state < rowed ? (rows[(state << 8) | byte] ?? 0) : this.automaton.next(state, byte);
      const length = matched[state] ?? 0;
      if (length > 0) addSpan(spans, { start: this.startOf(length, position + index + 1), end: position + index + 1 });
    }
    this.state = state;
    this.passedInARow = passedInARow;
    this.position = position + bytes.length;
    this.forgetPassed();
  }

  private passes(byte: number, state: number, passedInARow: number): boolean {
    if (byte === LINE_FEED || byte === CARRIAGE_RETURN) return true;
    if (byte !== SPACE && byte !== TAB && byte !== COLON) return false;
    return passedInARow > 0 || (this.automaton.depth[state] ?? 0) > 1;
  }

  private forgetPassed(): void {
    if (this.passed.length === 0) return;
    const start = this.candidateStart;
    this.passed = this.passed.filter((position) => position >= start);
  }

  /** Where the last `length` bytes before `end` begin when layout is not counted. */
  private startOf(length: number, end: number): number {
    let start = end - length;
    for (let index = this.passed.length - 1; index >= 0 && (this.passed[index] ?? 0) >= start; index -= 1) start -= 1;
    return start;
  }
}

/** Adds a span that ends behind all others, joined with those that it overlaps or touches. */
export function addSpan(spans: Span[], span: Span): void {
  let { start } = span;
  for (let last = spans.at(-1); last !== undefined && last.end >= start; last = spans.at(-1)) {
    start = Math.min(start, last.start);
    spans.pop();
  }
  spans.push({ start, end: span.end });
}
