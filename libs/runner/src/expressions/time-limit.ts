import { createContext, Script } from 'node:vm';
import type { ParseResult } from '@marcbachmann/cel-js';
import { MACROS, walkCel } from './cel-environment.js';

/** Longest run of one expression, in milliseconds. */
export const EXPRESSION_TIMEOUT_MS = 250;

/** Besides the macros: the methods whose work can be far larger than their input (a regular expression, a join of a split). */
const COSTLY: ReadonlySet<string> = new Set([...MACROS, 'matches', 'split', 'join']);

const known = new WeakMap<object, boolean>();

/** True when the length of the expression and of its input does not bound the work. */
export function needsTimeLimit(parsed: ParseResult): boolean {
  const answer = known.get(parsed.ast);
  if (answer !== undefined) return answer;
  let costly = false;
  walkCel(parsed.ast, (node) => {
    if (node.op === 'rcall' && COSTLY.has(node.args[0])) costly = true;
  });
  known.set(parsed.ast, costly);
  return costly;
}

const sandbox: { run: () => void } = { run: () => undefined };
const context = createContext(sandbox, { codeGeneration: { strings: false, wasm: false } });
const script = new Script('run()');

/**
 * Runs `work` and ends it after EXPRESSION_TIMEOUT_MS, also in the middle of a regular expression: the virtual machine's
 * watchdog interrupts whatever JavaScript is running. It starts a thread (about 0.1 ms), so only costly expressions pay for it.
 * @throws Error when the time is over, and whatever `work` throws
 */
export function runBounded<T>(work: () => T): T {
  let result: { value: T } | undefined;
  sandbox.run = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: EXPRESSION_TIMEOUT_MS });
  } catch (error) {
    if (
      typeof error === 'object' &&
      error !== null &&
      'code' in error &&
      error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    ) {
      throw new Error(`it ran for more than ${EXPRESSION_TIMEOUT_MS} ms`, { cause: error });
    }
    throw error;
  } finally {
    sandbox.run = () => undefined;
  }
  if (result === undefined) throw new Error('it gave no result');
  return result.value;
}
