import { parseCel, walkCel } from './cel-environment.js';
import { literalKey } from './check-expression.js';

/** The keys of the steps that an expression looks at, each once. @throws ParseError of the library */
export function namedSteps(source: string): string[] {
  const keys = new Set<string>();
  walkCel(parseCel(source).ast, (node, parents) => {
    const access = parents.at(-1);
    if (node.op !== 'id' || node.args !== 'steps' || access === undefined) return;
    const key = literalKey(access, node);
    if (key !== null) keys.add(key);
  });
  return [...keys];
}
