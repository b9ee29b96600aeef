import { readExpression, unclosed } from './template.js';

/**
 * Where a `${{ expr }}` stands in a shell script. `bare`: in command position or among arguments; `quoted`: inside double quotes
 * or the body of a heredoc, where quotes of ours would be characters or would end the quoting.
 */
export interface ScriptExpression {
  start: number;
  end: number;
  source: string;
  place: 'bare' | 'quoted';
}

export interface ScriptScan {
  expressions: ScriptExpression[];
  /** The places of `$${{`, which stands for a literal `${{`. */
  escapes: number[];
  /** Sentences that name the line: expressions where the shell would not expand a variable, or would run it as code. */
  problems: string[];
}

type Frame =
  /** Commands: the script itself, `( )` and `$( )`. `cases` counts open `case`s, whose patterns close a parenthesis that none opened. */
  | { kind: 'command'; parens: number; cases: number; heredocs: Heredoc[]; closes: boolean }
  | { kind: 'dquote' }
  | { kind: 'param'; quoted: boolean }
  | { kind: 'arith'; parens: number }
  | { kind: 'heredoc' };

interface Heredoc {
  delimiter: string;
  stripTabs: boolean;
  literal: boolean;
}

const MAX_DEPTH = 50;

const FORBIDDEN = {
  squote: 'stands inside single quotes, where the shell expands nothing; use double quotes',
  literalHeredoc:
    'stands in a heredoc with a quoted delimiter, where the shell expands nothing; pass the value through env',
  backtick: 'stands inside backticks; use $( ) instead',
  param: 'stands inside ${ }; give it to a variable first, in env or in a line of its own',
  arith: 'stands inside (( )), where the shell would run its value as code; compute it in the expression instead',
} as const;

/**
 * Finds the expressions of a POSIX shell or bash script and how each is quoted there: strings, `$( )`, `${ }`, arithmetic,
 * heredocs, comments and `case` patterns are followed. It is no full parser and need not be: whatever it takes a place for, an
 * expression becomes a variable reference and never code, so a mistake can cost the splitting of words but not an injection.
 * Expressions in comments are left as they are and never evaluated.
 */
export function scanScript(text: string): ScriptScan {
  return new ShellScanner(text).scan();
}

class ShellScanner {
  private readonly found: ScriptScan = { expressions: [], escapes: [], problems: [] };
  private stopped = false;
  private depth = 0;

  constructor(private readonly text: string) {}

  scan(): ScriptScan {
    this.range(0, this.text.length, { kind: 'command', parens: 0, cases: 0, heredocs: [], closes: false });
    return this.found;
  }

  /** Reads from `i` to `end`, beginning inside `first`. Quotes that stay open end with the range. */
  private range(start: number, end: number, first: Frame): void {
    const frames = [first];
    let i = start;
    while (i < end && !this.stopped) {
      const frame = frames.at(-1) ?? first;
      if (frames.length + this.depth > MAX_DEPTH) return this.stop(i, 'has quotes and substitutions nested too deep');
      i = Math.max(i + 1, this.next(i, end, frame, frames));
    }
  }

  /** One construct at `i`; returns where to go on. */
  private next(i: number, end: number, frame: Frame, frames: Frame[]): number {
    const char = this.text[i];
    if (char === '\\') return i + 2;
    if (char === '$') return this.dollar(i, end, frame, frames);
    if (char === '`') return this.skipClosed(i, end, '`', true, FORBIDDEN.backtick);
    switch (frame.kind) {
      case 'command':
        return this.command(i, end, frame, frames);
      case 'heredoc':
        return i + 1;
      case 'dquote':
        if (char === '"') frames.pop();
        return i + 1;
      case 'param':
        if (char === '}') frames.pop();
        else if (char === '"') frames.push({ kind: 'dquote' });
        else if (char === "'" && !frame.quoted) return this.skipClosed(i, end, "'", false, FORBIDDEN.squote);
        return i + 1;
      case 'arith':
        return this.arith(i, frame, frames);
    }
  }

  private arith(i: number, frame: Extract<Frame, { kind: 'arith' }>, frames: Frame[]): number {
    const char = this.text[i];
    if (char === '(') frame.parens++;
    else if (char === '"') frames.push({ kind: 'dquote' });
    else if (char === ')' && frame.parens > 0) frame.parens--;
    else if (char === ')') {
      frames.pop();
      return i + 2;
    }
    return i + 1;
  }

  private dollar(i: number, end: number, frame: Frame, frames: Frame[]): number {
    const text = this.text;
    if (text.startsWith('$${{', i)) {
      this.found.escapes.push(i);
      return i + 4;
    }
    if (text.startsWith('${{', i)) return this.expression(i, frame, frames);
    const quoted = frame.kind === 'dquote' || frame.kind === 'heredoc' || (frame.kind === 'param' && frame.quoted);
    if (text.startsWith('$((', i)) return this.enter(frames, { kind: 'arith', parens: 0 }, i + 3);
    if (text.startsWith('$(', i)) {
      return this.enter(frames, { kind: 'command', parens: 0, cases: 0, heredocs: [], closes: true }, i + 2);
    }
    if (text.startsWith('${', i)) return this.enter(frames, { kind: 'param', quoted }, i + 2);
    if (!quoted && text.startsWith("$'", i)) return this.skipClosed(i + 1, end, "'", true, FORBIDDEN.squote);
    return /[#$?!@*-]/.test(text.charAt(i + 1)) ? i + 2 : i + 1;
  }

  private enter(frames: Frame[], frame: Frame, next: number): number {
    frames.push(frame);
    return next;
  }

  private expression(i: number, frame: Frame, frames: Frame[]): number {
    const end = readExpression(this.text, i);
    if (end === null) {
      this.stop(i, null);
      return i + 3;
    }
    const command = frames.findLastIndex((outer) => outer.kind === 'command');
    const code = frames.slice(command + 1).find((outer) => outer.kind === 'arith' || outer.kind === 'param');
    if (code?.kind === 'arith' || code?.kind === 'param') this.refuse(i, end.source, FORBIDDEN[code.kind]);
    else
      this.found.expressions.push({
        start: i,
        end: end.next,
        source: end.source,
        place: frame.kind === 'command' ? 'bare' : 'quoted',
      });
    return end.next;
  }

  private command(i: number, end: number, frame: Extract<Frame, { kind: 'command' }>, frames: Frame[]): number {
    const { text } = this;
    switch (text[i]) {
      case "'":
        return this.skipClosed(i, end, "'", false, FORBIDDEN.squote);
      case '"':
        return this.enter(frames, { kind: 'dquote' }, i + 1);
      case '\n':
        return this.heredocs(i + 1, end, frame);
      case '#':
        return this.wordStarts(i) ? this.lineEnd(i, end) : i + 1;
      case '<':
        return this.redirection(i, frame);
      case '(':
        if (text[i + 1] === '(' && this.wordStarts(i)) return this.enter(frames, { kind: 'arith', parens: 0 }, i + 2);
        frame.parens++;
        return i + 1;
      case ')':
        if (frame.parens > 0) frame.parens--;
        else if (frame.cases === 0 && frame.closes) frames.pop();
        return i + 1;
      case 'c':
      case 'e':
        return this.caseWord(i, frame);
      default:
        return i + 1;
    }
  }

  private caseWord(i: number, frame: Extract<Frame, { kind: 'command' }>): number {
    const word = /^(?:case|esac)(?![\w-])/.exec(this.text.slice(i, i + 5))?.[0];
    if (word === undefined || !this.wordStarts(i)) return i + 1;
    const before = '\n'.repeat(i < 40 ? 1 : 0) + this.text.slice(Math.max(0, i - 40), i);
    const commandPosition = /(?:[;&|(\n]|\b(?:then|do|else|if|while|until))[ \t]*$/.test(before);
    if (commandPosition) frame.cases = Math.max(0, frame.cases + (word === 'case' ? 1 : -1));
    return i + 4;
  }

  private wordStarts(i: number): boolean {
    return i === 0 || /[\s;&|()<>]/.test(this.text.charAt(i - 1));
  }

  private lineEnd(i: number, end: number): number {
    const at = this.text.indexOf('\n', i);
    return at === -1 || at > end ? end : at;
  }

  private redirection(i: number, frame: Extract<Frame, { kind: 'command' }>): number {
    if (this.text.startsWith('<<<', i)) return i + 3;
    if (!this.text.startsWith('<<', i)) return i + 1;
    const operator = /^<<(-?)[ \t]*((?:[^\s;&|()<>'"\\]|\\.|'[^']*'|"[^"]*")+)/.exec(this.text.slice(i, i + 300));
    if (operator?.[1] === undefined || operator[2] === undefined) return i + 2;
    const word = operator[2];
    frame.heredocs.push({
      delimiter: word.replace(/['"\\]/g, ''),
      stripTabs: operator[1] === '-',
      literal: /['"\\]/.test(word),
    });
    return i + operator[0].length;
  }

  /** Reads the bodies that begin at `i`, the start of a line; returns where the commands go on. */
  private heredocs(i: number, end: number, frame: Extract<Frame, { kind: 'command' }>): number {
    let start = i;
    for (const heredoc of frame.heredocs.splice(0)) {
      const { bodyEnd, next } = this.body(start, end, heredoc);
      if (heredoc.literal) this.refuseAll(start, bodyEnd, FORBIDDEN.literalHeredoc);
      else {
        this.depth++;
        this.range(start, bodyEnd, { kind: 'heredoc' });
        this.depth--;
      }
      start = next;
    }
    return start;
  }

  private body(start: number, end: number, heredoc: Heredoc): { bodyEnd: number; next: number } {
    for (let line = start; line < end;) {
      const lineEnd = this.lineEnd(line, end);
      const content = this.text.slice(line, lineEnd);
      if ((heredoc.stripTabs ? content.replace(/^\t+/, '') : content) === heredoc.delimiter)
        return { bodyEnd: line, next: lineEnd };
      line = lineEnd + 1;
    }
    return { bodyEnd: end, next: end };
  }

  /** Goes behind the quote that closes the one at `open`, refusing the expressions between. */
  private skipClosed(open: number, end: number, quote: string, escapes: boolean, why: string): number {
    let i = open + 1;
    while (i < end && this.text[i] !== quote) i += escapes && this.text[i] === '\\' ? 2 : 1;
    this.refuseAll(open + 1, Math.min(i, end), why);
    return i + 1;
  }

  private refuseAll(start: number, end: number, why: string): void {
    for (let at = this.text.indexOf('${{', start); at !== -1 && at < end; at = this.text.indexOf('${{', at + 3)) {
      if (this.text[at - 1] === '$') this.found.escapes.push(at - 1);
      else this.refuse(at, readExpression(this.text, at)?.source ?? '', why);
    }
  }

  private refuse(at: number, source: string, why: string): void {
    const shown = source.length > 60 ? `${source.slice(0, 60)}…` : source;
    if (this.found.problems.length < 20) this.found.problems.push(`\${{ ${shown} }} in line ${this.lineOf(at)} ${why}`);
  }

  private stop(at: number, why: string | null): void {
    this.stopped = true;
    this.found.problems.push(why === null ? unclosed(this.text, at) : `line ${this.lineOf(at)} ${why}`);
  }

  private lineOf(at: number): number {
    return this.text.slice(0, at).split('\n').length;
  }
}
