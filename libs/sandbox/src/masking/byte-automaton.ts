/** A string whose characters are bytes (Latin-1): what patterns are made of, because bytes are what streams are made of. */
export type ByteString = string;

const ALPHABET = 256;

/** So many states at most have a row of successors: what stays in a processor's cache. */
const MOST_ROWS = 2_048;

/**
 * The automaton of Aho and Corasick ("Efficient string matching", 1975): finds every occurrence of every pattern in one pass, in time that
 * depends on neither the number of patterns nor what they have in common. States are numbered breadth first, so that the children of
 * one are neighbours. Those near the root, where nearly all output stays, have a row with all 256 successors; the others have
 * their few children and a state to fall back on, so that long secrets in many forms stay affordable (17 bytes a state).
 */
export class ByteAutomaton {
  /** The length of the longest prefix of a pattern that ends in this state. */
  readonly depth: Int32Array;
  /** The length of the longest whole pattern that ends in this state; 0 for none. */
  readonly matched: Int32Array;
  /** States below this have a row: their successor for a byte is `rows[(state << 8) | byte]`. */
  readonly rowed: number;
  readonly rows: Int32Array;
  private readonly byte: Uint8Array;
  /** The children of a state end where those of the next one begin. */
  private readonly firstChild: Int32Array;
  private readonly fallback: Int32Array;

  constructor(patterns: Iterable<ByteString>) {
    const sorted = [...new Set(patterns)].filter((pattern) => pattern !== '').sort();
    const size = stateCount(sorted);
    this.depth = new Int32Array(size);
    this.matched = new Int32Array(size);
    this.byte = new Uint8Array(size);
    this.firstChild = new Int32Array(size + 1).fill(size);
    this.fallback = new Int32Array(size);
    this.build(sorted);
    const [beyondFirst, beyondSecond] = [2, 3].map((depth) => this.depth.findIndex((found) => found >= depth));
    const wide = end(beyondSecond, size);
    this.rowed = wide <= MOST_ROWS ? wide : end(beyondFirst, size);
    this.rows = this.buildRows();
  }

  /** The state after one more byte. State 0 is the root: nothing of any pattern. */
  next(state: number, byte: number): number {
    let from = state;
    while (from >= this.rowed) {
      const child = this.childOf(from, byte);
      if (child !== 0) return child;
      from = this.fallback[from] ?? 0;
    }
    return this.rows[(from << 8) | byte] ?? 0;
  }

  /** A state stands for the patterns that begin with its bytes, and those are neighbours in the sorted list. */
  private build(sorted: ByteString[]): void {
    const [from, to] = [new Int32Array(this.depth.length), new Int32Array(this.depth.length)];
    to[0] = sorted.length;
    let size = 1;
    for (let state = 0; state < size; state += 1) {
      const depth = this.depth[state] ?? 0;
      const last = to[state] ?? 0;
      let index = from[state] ?? 0;
      this.firstChild[state] = size;
      const whole = depth > 0 && sorted[index]?.length === depth;
      this.matched[state] = whole ? depth : (this.matched[this.fallback[state] ?? 0] ?? 0);
      if (whole) index += 1;
      while (index < last) {
        const byte = sorted[index]?.charCodeAt(depth) ?? 0;
        const child = size++;
        this.byte[child] = byte;
        this.depth[child] = depth + 1;
        this.fallback[child] = state === 0 ? 0 : this.walk(this.fallback[state] ?? 0, byte);
        from[child] = index;
        index = endOfGroup(sorted, index, last, depth);
        to[child] = index;
      }
    }
  }

  /** As `next`, before there are rows. */
  private walk(state: number, byte: number): number {
    for (let from = state; ; from = this.fallback[from] ?? 0) {
      const child = this.childOf(from, byte);
      if (child !== 0 || from === 0) return child;
    }
  }

  private childOf(state: number, byte: number): number {
    const end = this.firstChild[state + 1] ?? 0;
    for (let child = this.firstChild[state] ?? 0; child < end; child += 1) if (this.byte[child] === byte) return child;
    return 0;
  }

  private buildRows(): Int32Array {
    const rows = new Int32Array(this.rowed * ALPHABET);
    for (let state = 0; state < this.rowed; state += 1) {
      const start = state * ALPHABET;
      // What its fallback would do, but for its own children.
      const fallback = (this.fallback[state] ?? 0) * ALPHABET;
      if (state > 0) rows.copyWithin(start, fallback, fallback + ALPHABET);
      const end = this.firstChild[state + 1] ?? 0;
      for (let child = this.firstChild[state] ?? 0; child < end; child += 1)
        rows[start + (this.byte[child] ?? 0)] = child;
    }
    return rows;
  }
}

function end(found: number | undefined, size: number): number {
  return found === undefined || found < 0 ? size : found;
}

/** The root and one state for every prefix. */
function stateCount(sorted: ByteString[]): number {
  let count = 1;
  let previous = '';
  for (const pattern of sorted) {
    let shared = 0;
    while (shared < previous.length && previous.charCodeAt(shared) === pattern.charCodeAt(shared)) shared += 1;
    count += pattern.length - shared;
    previous = pattern;
  }
  return count;
}

/** Behind the last pattern from `index` on that has the same byte at `depth`. */
function endOfGroup(sorted: ByteString[], index: number, last: number, depth: number): number {
  const byte = sorted[index]?.charCodeAt(depth);
  if (sorted[last - 1]?.charCodeAt(depth) === byte) return last;
  let end = index + 1;
  while (sorted[end]?.charCodeAt(depth) === byte) end += 1;
  return end;
}
