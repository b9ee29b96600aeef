import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';

/** The `Step` and `Job` of the type checker: their fields are known, so `steps.a.status == 3` is refused at submission. */
export class CelStep {
  declare readonly status: string;
  declare readonly outputs: object;
  declare readonly exitCode: bigint | null;
  declare readonly attempt: bigint;
  declare readonly error: object | null;

  constructor(fields: object) {
    Object.assign(this, fields);
  }
}

export class CelJob {
  declare readonly id: string;
  declare readonly priority: bigint;
  declare readonly failed: boolean;

  constructor(fields: object) {
    Object.assign(this, fields);
  }
}

/** Longest expression, in characters: `when`, `condition` and what stands between `${{` and `}}`. */
export const MAX_EXPRESSION_LENGTH = 4096;

const environment = new Environment({
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 1000, maxDepth: 40, maxListElements: 500, maxMapEntries: 500, maxCallArguments: 8 },
})
  .registerType('Step', {
    ctor: CelStep,
    fields: { status: 'string', outputs: 'map<string, dyn>', exitCode: 'dyn', attempt: 'int', error: 'dyn' },
  })
  .registerType('Job', {
    ctor: CelJob,
    fields: {
      ...{ id: 'string', name: 'string', kind: 'string', priority: 'int', workspaceId: 'string', projectId: 'dyn' },
      ...{ tags: 'list<string>', metadata: 'map<string, dyn>', failed: 'bool' },
    },
  })
  .registerVariable('steps', 'map<string, Step>')
  .registerVariable('job', 'Job');

// JSON knows one kind of number, CEL two: an output of 1 is an int and one of 1.5 a double. Arithmetic may mix them.
for (const [left, right] of [
  ['int', 'double'],
  ['double', 'int'],
]) {
  environment.registerOperator(`${left} + ${right}`, (a: bigint | number, b: bigint | number) => Number(a) + Number(b));
  environment.registerOperator(`${left} - ${right}`, (a: bigint | number, b: bigint | number) => Number(a) - Number(b));
  environment.registerOperator(`${left} * ${right}`, (a: bigint | number, b: bigint | number) => Number(a) * Number(b));
  environment.registerOperator(`${left} / ${right}`, (a: bigint | number, b: bigint | number) => Number(a) / Number(b));
}

const MAX_CACHED = 2000;
const cache = new Map<string, ParseResult>();

/**
 * Parses an expression, or takes it from the cache: the same few expressions are evaluated again and again.
 * @throws ParseError of the library
 */
export function parseCel(source: string): ParseResult {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const parsed = environment.parse(source);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(source, parsed);
  return parsed;
}

/** The methods that take a variable and run an expression once per element. */
export const MACROS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** Visits a node and everything under it; `parents` begins at the root. */
export function walkCel(node: ASTNode, visit: (node: ASTNode, parents: readonly ASTNode[]) => void): void {
  const parents: ASTNode[] = [];
  const step = (current: ASTNode): void => {
    visit(current, parents);
    parents.push(current);
    for (const child of childrenOf(current)) step(child);
    parents.pop();
  };
  step(node);
}

function childrenOf(node: ASTNode): ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return [...node.args];
  }
}
