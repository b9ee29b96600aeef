import { ParseError, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { MACROS, MAX_EXPRESSION_LENGTH, parseCel, walkCel } from './cel-environment.js';
import { JOB_FIELDS, STEP_FIELDS } from './expression-context.js';

/** Where an expression stands: which steps exist, in run order, and the position of its own step in that order. */
export interface ExpressionScope {
  /** Position in run order (phase order, then list order) of every step key of the job. */
  order: ReadonlyMap<string, number>;
  /** Steps before this position can be referred to; -1 where none can: in the env of the whole job. */
  position: number;
  /** `boolean` for `when` and `condition`. */
  expects: 'boolean' | 'value';
}

export interface ExpressionProblem {
  rule: 'expressionSize' | 'expressionSyntax' | 'expressionReference' | 'expressionType';
  message: string;
}

const MAX_MACROS = 4;
const MAX_MACRO_DEPTH = 2;
const TYPE_NAMES: ReadonlySet<string> = new Set(
  'int uint double string bool bytes list map null_type type dyn'.split(' '),
);

/** Checks an expression as far as that is possible before the job runs. An empty list means that nothing is wrong. */
export function checkExpression(source: string, scope: ExpressionScope): ExpressionProblem[] {
  if (source.trim() === '') return [problem('expressionSyntax', 'is empty where an expression is expected')];
  if (source.length > MAX_EXPRESSION_LENGTH) {
    return [problem('expressionSize', `has an expression of more than ${MAX_EXPRESSION_LENGTH} characters`)];
  }
  let parsed: ParseResult;
  try {
    parsed = parseCel(source);
  } catch (error) {
    return [syntaxProblem(source, error)];
  }
  const found = [...checkSize(parsed.ast), ...checkReferences(parsed.ast, scope)];
  return found.length > 0 ? found : checkTypes(source, parsed, scope);
}

function problem(rule: ExpressionProblem['rule'], message: string): ExpressionProblem {
  return { rule, message };
}

function syntaxProblem(source: string, error: unknown): ExpressionProblem {
  if (!(error instanceof ParseError)) return problem('expressionSyntax', `does not parse: ${quote(source)}`);
  if (/^(ast_nodes|depth|list_elements|map_entries|call_arguments|.*limit)/.test(error.code)) {
    return problem('expressionSize', `is too large an expression: ${error.summary}`);
  }
  const reason = error.summary.replace('Unexpected token: EOF', 'it ends where an operand is expected');
  const at = error.range === undefined ? '' : ` at ${position(source, error.range.start)}`;
  return problem('expressionSyntax', `does not parse: ${lowerFirst(reason)}${at} of ${quote(source)}`);
}

function checkSize(ast: ASTNode): ExpressionProblem[] {
  let macros = 0;
  let deepest = 0;
  walkCel(ast, (node, parents) => {
    if (!isMacro(node)) return;
    macros++;
    deepest = Math.max(deepest, 1 + parents.filter(isMacro).length);
  });
  if (macros <= MAX_MACROS && deepest <= MAX_MACRO_DEPTH) return [];
  const names = [...MACROS].join(', ');
  return [
    problem(
      'expressionSize',
      `may use at most ${MAX_MACROS} of ${names}, nested at most ${MAX_MACRO_DEPTH} deep; compute more in a COMMAND step`,
    ),
  ];
}

function isMacro(node: ASTNode): boolean {
  return node.op === 'rcall' && MACROS.has(node.args[0]);
}

/** Every identifier must be `steps.<earlier key>`, `job` or the variable of a macro around it. */
function checkReferences(ast: ASTNode, scope: ExpressionScope): ExpressionProblem[] {
  const found = new Map<string, ExpressionProblem>();
  const add = (message: string): void => void found.set(message, problem('expressionReference', message));
  const hint = dashHint(ast, scope);
  if (hint !== null) return [problem('expressionReference', hint)];
  walkCel(ast, (node, parents) => {
    if (node.op !== 'id') return;
    const parent = parents.at(-1);
    if (parent !== undefined && isMacro(parent) && parent.op === 'rcall' && parent.args[2][0] === node) {
      if (node.args === 'steps' || node.args === 'job')
        add(`uses "${node.args}" as the variable of ${parent.args[0]}(); choose another name`);
      return;
    }
    if (node.args === 'steps') checkStep(node, parents, scope, add);
    else if (node.args === 'job') checkField(parent, 'job', JOB_FIELDS, add);
    else if (!TYPE_NAMES.has(node.args) && !isMacroVariable(node.args, parents)) {
      add(`refers to "${node.args}", which does not exist; an expression knows steps and job`);
    }
  });
  return [...found.values()];
}

function isMacroVariable(name: string, parents: readonly ASTNode[]): boolean {
  return parents.some((parent) => {
    if (!isMacro(parent) || parent.op !== 'rcall') return false;
    const variable = parent.args[2][0];
    return variable?.op === 'id' && variable.args === name;
  });
}

function checkStep(
  node: ASTNode,
  parents: readonly ASTNode[],
  scope: ExpressionScope,
  add: (message: string) => void,
): void {
  const access = parents.at(-1);
  const key = access === undefined ? null : literalKey(access, node);
  if (key === null) {
    add('uses "steps" without naming a step; write steps.<key> or steps["<key>"] with the key itself');
    return;
  }
  const at = scope.order.get(key);
  if (scope.position < 0) {
    add('refers to a step, but no step has run when this is filled in; only job is known then');
    return;
  }
  if (at === undefined) add(`refers to step "${key}", which does not exist`);
  else if (at === scope.position) add(`refers to step "${key}", which is the step itself`);
  else if (at > scope.position) add(`refers to step "${key}", which runs later`);
  else checkField(parents.at(-2), `steps.${key}`, STEP_FIELDS, add, access);
}

/** The key of `owner.key` or `owner["key"]`; null for anything else, such as an index that is computed. */
export function literalKey(access: ASTNode, owner: ASTNode): string | null {
  if (access.op === '.' && access.args[0] === owner) return access.args[1];
  if (access.op !== '[]' || access.args[0] !== owner || access.args[1].op !== 'value') return null;
  return typeof access.args[1].args === 'string' ? access.args[1].args : null;
}

function checkField(
  access: ASTNode | undefined,
  owner: string,
  fields: readonly string[],
  add: (message: string) => void,
  ownerNode?: ASTNode,
): void {
  if (access === undefined || (access.op !== '.' && access.op !== '[]')) return;
  if (ownerNode !== undefined && access.args[0] !== ownerNode) return;
  const key = literalKey(access, access.args[0]);
  if (key !== null && !fields.includes(key))
    add(`refers to ${owner}.${key}, which does not exist; there are: ${fields.join(', ')}`);
}

/** `steps.my-step.x` is a subtraction in CEL: say so when a step's key explains it. */
function dashHint(ast: ASTNode, scope: ExpressionScope): string | null {
  let hint: string | null = null;
  walkCel(ast, (node) => {
    if (node.op !== '-') return;
    const text = node.input.slice(node.args[0].start).replace(/^steps\./, '');
    if (text === node.input.slice(node.args[0].start)) return;
    const key = /^[a-z][a-z0-9_-]*/.exec(text)?.[0];
    if (key !== undefined && key.includes('-') && scope.order.has(key))
      hint = `must write steps["${key}"]: in steps.${key} the dash would be a minus`;
  });
  return hint;
}

function checkTypes(source: string, parsed: ParseResult, scope: ExpressionScope): ExpressionProblem[] {
  const result = parsed.check();
  if (!result.valid) {
    const reason = result.error?.summary ?? 'its types do not fit';
    const at = result.error?.range === undefined ? '' : ` at ${position(source, result.error.range.start)}`;
    const advice = reason.startsWith('has() invalid')
      ? '; has() takes dots only: write "x" in steps["my-step"].outputs instead'
      : '';
    return [problem('expressionType', `is not valid: ${reason}${at} of ${quote(source)}${advice}`)];
  }
  const type = result.type ?? 'dyn';
  if (scope.expects === 'value' || type === 'bool' || type === 'dyn') return [];
  return [problem('expressionType', `must give true or false, but ${quote(source)} gives ${type}`)];
}

function position(source: string, at: number): string {
  const before = source.slice(0, at).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return before.length === 1 ? `character ${column}` : `line ${before.length}, character ${column}`;
}

function quote(source: string): string {
  return `\`${source.length > 120 ? `${source.slice(0, 120)}…` : source}\``;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
