/** A part of a template: text as it is, or an expression with the place of its `${{`. */
export type TemplatePart = { text: string } | { expression: string; at: number };

/** What was found between `${{` and `}}`, or where no end was found. */
export type ExpressionEnd = { source: string; next: number } | null;

/** Most `${{ }}` in one string. */
export const MAX_EXPRESSIONS_PER_TEXT = 100;

/**
 * Splits a text at its `${{ expr }}`. `$${{` stands for a literal `${{`.
 * `problem` is set when a `${{` has no `}}`.
 */
export function splitTemplate(text: string): { parts: TemplatePart[]; problem: string | null } {
  const parts: TemplatePart[] = [];
  let literal = '';
  let from = 0;
  for (let at = text.indexOf('${{'); at !== -1; at = text.indexOf('${{', from)) {
    if (at > from && text[at - 1] === '$') {
      literal += text.slice(from, at - 1) + '${{';
      from = at + 3;
      continue;
    }
    const end = readExpression(text, at);
    if (end === null) return { parts, problem: unclosed(text, at) };
    parts.push({ text: literal + text.slice(from, at) }, { expression: end.source, at });
    literal = '';
    from = end.next;
  }
  parts.push({ text: literal + text.slice(from) });
  return { parts: parts.filter((part) => !('text' in part && part.text === '')), problem: null };
}

/** The sentence for a `${{` without its end. */
export function unclosed(text: string, at: number): string {
  const line = text.slice(0, at).split('\n').length;
  return `the \${{ in line ${line} has no closing }}; write $\${{ where the characters themselves are meant`;
}

/**
 * Reads the expression whose `${{` stands at `at`. Its end is the first `}}` outside of CEL's strings and of balanced braces,
 * so that map literals and quoted braces may stand inside.
 */
export function readExpression(text: string, at: number): ExpressionEnd {
  let depth = 0;
  for (let i = at + 3; i < text.length; i++) {
    const char = text[i];
    if (char === '"' || char === "'") {
      i = skipCelString(text, i);
      if (i === -1) return null;
    } else if (char === '{') depth++;
    else if (char === '}') {
      if (depth > 0) depth--;
      else if (text[i + 1] === '}') return { source: text.slice(at + 3, i).trim(), next: i + 2 };
    }
  }
  return null;
}

/** The index of the last quote of the CEL string that begins at `open`, or -1. The library skips what follows a backslash in raw strings too. */
function skipCelString(text: string, open: number): number {
  const quote = text.charAt(open);
  const triple = quote.repeat(3);
  const close = text.startsWith(triple, open) ? triple : quote;
  for (let i = open + close.length; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text.startsWith(close, i)) return i + close.length - 1;
  }
  return -1;
}
