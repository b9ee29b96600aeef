import { AppError, messageOf, type Json } from '#kernel';
import { EvaluationError, ParseError, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { MAX_EXPRESSION_LENGTH, parseCel } from './cel-environment.js';
import { fromCel, toCelContext } from './cel-values.js';
import type { ExpressionContext } from './expression-context.js';
import { needsTimeLimit, runBounded } from './time-limit.js';

/** Evaluates a condition. @throws AppError EXPRESSION_FAILED with the expression and the reason, also when the result is no boolean */
export function evaluateCondition(source: string, context: ExpressionContext): boolean {
  const value = evaluateValue(source, context);
  if (typeof value === 'boolean') return value;
  throw failed(source, `it must give true or false, but gives ${describe(value)}`);
}

/** Evaluates an expression to JSON. @throws AppError EXPRESSION_FAILED with the expression and the reason */
export function evaluateValue(source: string, context: ExpressionContext): Json {
  if (source.length > MAX_EXPRESSION_LENGTH)
    throw failed(source, `it is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  try {
    const parsed = parseCel(source);
    const variables = toCelContext(context);
    return fromCel(needsTimeLimit(parsed) ? runBounded(() => run(parsed, variables)) : run(parsed, variables));
  } catch (error) {
    throw failed(source, reasonOf(error, context), error);
  }
}

function run(parsed: ParseResult, variables: object): unknown {
  return parsed({ ...variables });
}

function failed(source: string, reason: string, cause?: unknown): AppError {
  const shown = source.length > 200 ? `${source.slice(0, 200)}…` : source;
  return new AppError('EXPRESSION_FAILED', `the expression \`${shown}\` failed: ${reason}`, {
    details: { expression: source.slice(0, MAX_EXPRESSION_LENGTH), reason },
    ...(cause === undefined ? {} : { cause }),
  });
}

function reasonOf(error: unknown, context: ExpressionContext): string {
  if (error instanceof EvaluationError) {
    const missing = error.code === 'no_such_key' && error.node !== undefined ? missingKey(error.node, context) : null;
    return missing ?? error.summary;
  }
  if (error instanceof ParseError) return error.summary;
  if (error instanceof RangeError) return 'it needs more memory than an expression may use';
  return messageOf(error);
}

/** Names what was looked for and what is there: "steps.copy.outputs has no "count"; it has: files, lines". */
function missingKey(node: ASTNode, context: ExpressionContext): string | null {
  if (node.op !== '.' && node.op !== '[]') return null;
  const [owner, key] = node.args;
  const name = typeof key === 'string' ? key : key.op === 'value' ? String(key.args) : null;
  if (name === null) return null;
  const text = node.input.slice(owner.start, owner.end);
  if (owner.op === '.' && owner.args[1] === 'outputs') {
    const step = stepOf(owner.args[0], context);
    if (step !== undefined) return `${text} has no "${name}"; ${whatIsThere(step.status, Object.keys(step.outputs))}`;
  }
  return `${text} has no "${name}"`;
}

function stepOf(node: ASTNode, context: ExpressionContext): ExpressionContext['steps'][string] | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const key = node.args[1];
  const name = typeof key === 'string' ? key : key.op === 'value' ? key.args : null;
  return typeof name === 'string' && Object.hasOwn(context.steps, name) ? context.steps[name] : undefined;
}

function whatIsThere(status: string, keys: string[]): string {
  if (keys.length === 0) return `that step is ${status} and has no outputs`;
  const shown = keys.slice(0, 10).join(', ');
  return `it has: ${shown}${keys.length > 10 ? ', …' : ''}`;
}

function describe(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
