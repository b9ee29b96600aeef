import { AppError, type Json } from '#kernel';
import { evaluateValue } from './evaluate-expression.js';
import type { ExpressionContext } from './expression-context.js';
import { splitTemplate } from './template.js';

/**
 * Fills the `${{ expr }}` of a text: strings go in as they are, everything else as JSON. `$${{` gives `${{`.
 * @throws AppError EXPRESSION_FAILED with the expression and the reason
 */
export function interpolate(template: string, context: ExpressionContext): string {
  if (!template.includes('${{')) return template;
  const { parts, problem } = splitTemplate(template);
  if (problem !== null) throw new AppError('EXPRESSION_FAILED', problem);
  return parts.map((part) => ('text' in part ? part.text : textOf(evaluateValue(part.expression, context)))).join('');
}

/** Interpolates every string of a JSON value at any depth; keys stay as they are. @throws AppError EXPRESSION_FAILED */
export function interpolateJson(value: Json, context: ExpressionContext): Json {
  if (typeof value === 'string') return interpolate(value, context);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => interpolateJson(item, context));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, interpolateJson(member, context)]));
}

/** A value as text: a string as it is, anything else as JSON. */
export function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The expressions of a text, in order, or why its `${{` do not balance. Used by the check at submission. */
export function templateExpressions(text: string): { expressions: string[]; problem: string | null } {
  if (!text.includes('${{')) return { expressions: [], problem: null };
  const { parts, problem } = splitTemplate(text);
  return { expressions: parts.flatMap((part) => ('expression' in part ? [part.expression] : [])), problem };
}
