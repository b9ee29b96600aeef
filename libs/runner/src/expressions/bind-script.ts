import { AppError } from '#kernel';
import { evaluateValue } from './evaluate-expression.js';
import type { ExpressionContext } from './expression-context.js';
import { textOf } from './interpolate.js';
import { scanScript } from './shell-scanner.js';

/** Linux takes at most 128 KiB for one variable; this leaves room for its name. */
export const MAX_BOUND_VALUE_BYTES = 96 * 1024;

/** A script whose expressions are variable references, and the variables. */
export interface BoundScript {
  script: string;
  env: Record<string, string>;
}

/**
 * Replaces each `${{ expr }}` of a shell script by a reference to a variable that holds its value, so that a value is never read
 * as code: `echo ${{ x }}` becomes `echo "${RUNLEDGER_EXPR_1}"`, and inside double quotes or a heredoc, where the quotes are
 * there already, `${RUNLEDGER_EXPR_1}`. `$${{` gives `${{`. What the script then does with the value is its own affair: `eval`,
 * `sh -c "..."` and arithmetic on a variable read it as code as they do with any variable.
 * @throws AppError EXPRESSION_FAILED when an expression fails, its value cannot be a variable, or stands where none expands
 */
export function bindScript(run: string, context: ExpressionContext): BoundScript {
  if (!run.includes('${{')) return { script: run, env: {} };
  const { expressions, escapes, problems } = scanScript(run);
  if (problems[0] !== undefined) throw new AppError('EXPRESSION_FAILED', problems[0]);
  const names = new Map<string, string>();
  const env: Record<string, string> = {};
  const edits: { start: number; end: number; text: string }[] = escapes.map((at) => ({
    start: at,
    end: at + 4,
    text: '${{',
  }));
  for (const { start, end, source, place } of expressions) {
    let name = names.get(source);
    if (name === undefined) {
      name = `RUNLEDGER_EXPR_${names.size + 1}`;
      names.set(source, name);
      env[name] = valueFor(source, context);
    }
    edits.push({ start, end, text: place === 'bare' ? `"\${${name}}"` : `\${${name}}` });
  }
  return { script: applyEdits(run, edits), env };
}

function valueFor(source: string, context: ExpressionContext): string {
  const value = textOf(evaluateValue(source, context));
  const reason = value.includes('\0')
    ? 'its value holds a NUL character, which no variable can'
    : Buffer.byteLength(value) > MAX_BOUND_VALUE_BYTES
      ? `its value is larger than ${MAX_BOUND_VALUE_BYTES / 1024} KiB; hand it on in a file`
      : null;
  if (reason === null) return value;
  throw new AppError('EXPRESSION_FAILED', `the expression \`${source.slice(0, 200)}\` failed: ${reason}`, {
    details: { expression: source, reason },
  });
}

function applyEdits(text: string, edits: { start: number; end: number; text: string }[]): string {
  let result = '';
  let from = 0;
  for (const edit of edits.sort((a, b) => a.start - b.start)) {
    result += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return result + text.slice(from);
}

/** The expressions of a script, in order, and why some of them cannot stand where they do. Used by the check at submission. */
export function scriptExpressions(run: string): { expressions: string[]; problems: string[] } {
  if (!run.includes('${{')) return { expressions: [], problems: [] };
  const { expressions, problems } = scanScript(run);
  return { expressions: expressions.map((found) => found.source), problems };
}
