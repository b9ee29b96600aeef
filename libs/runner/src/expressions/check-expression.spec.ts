import { checkExpression } from './check-expression.js';

const order = new Map([
  ['a', 0],
  ['my-step', 1],
  ['self', 2],
  ['later', 3],
]);
const check = (source: string, expects: 'boolean' | 'value' = 'boolean'): string[] =>
  checkExpression(source, { order, position: 2, expects }).map((problem) => `${problem.rule}: ${problem.message}`);

describe('checkExpression', () => {
  it.each([
    'true',
    'steps.a.outputs.count > 2',
    'int(steps["my-step"].outputs["x"]) > 2 || job.failed',
    'steps.a.outputs.list.filter(x, x > 1).exists(y, y == job.priority)',
    'has(steps.a.outputs.x) ? steps.a.exitCode == 0 : steps.a.error == null',
    'type(steps.a.outputs.x) == int',
    'steps.a.outputs.maybe',
  ])('accepts %s', (source) => {
    expect(check(source)).toEqual([]);
  });

  it.each([
    ['', 'expressionSyntax: is empty where an expression is expected'],
    ['1 +', 'expressionSyntax: does not parse: it ends where an operand is expected at character 4 of `1 +`'],
    ['a\n  b', "expressionSyntax: does not parse: unexpected character: 'b' at line 2, character 3 of `a\n  b`"],
    ['"abc', 'expressionSyntax: does not parse: unterminated string at character 1 of `"abc`'],
    [
      'step.a.status == "x"',
      'expressionReference: refers to "step", which does not exist; an expression knows steps and job',
    ],
    [
      'cel.bind(x, 1, x) == 1',
      'expressionReference: refers to "cel", which does not exist; an expression knows steps and job',
    ],
    ['steps.b.status == "x"', 'expressionReference: refers to step "b", which does not exist'],
    ['steps.self.status == "x"', 'expressionReference: refers to step "self", which is the step itself'],
    ['steps["later"].status == "x"', 'expressionReference: refers to step "later", which runs later'],
    ['steps.constructor.status == "x"', 'expressionReference: refers to step "constructor", which does not exist'],
    [
      'steps.a.output.x == 1',
      'expressionReference: refers to steps.a.output, which does not exist; there are: status, outputs, exitCode, attempt, error',
    ],
    [
      'steps.a["__proto__"] == 1',
      'expressionReference: refers to steps.a.__proto__, which does not exist; there are: status, outputs, exitCode, attempt, error',
    ],
    [
      'job.owner == "x"',
      'expressionReference: refers to job.owner, which does not exist; there are: id, name, kind, priority, workspaceId, projectId, tags, metadata, failed',
    ],
    [
      'steps["a" + "b"].status == "x"',
      'expressionReference: uses "steps" without naming a step; write steps.<key> or steps["<key>"] with the key itself',
    ],
    [
      'size(steps) == 2',
      'expressionReference: uses "steps" without naming a step; write steps.<key> or steps["<key>"] with the key itself',
    ],
    ['[1].all(steps, steps == 1)', 'expressionReference: uses "steps" as the variable of all(); choose another name'],
    [
      'steps.my-step.outputs.x > 1',
      'expressionReference: must write steps["my-step"]: in steps.my-step the dash would be a minus',
    ],
    ['1 + 1', 'expressionType: must give true or false, but `1 + 1` gives int'],
    [
      'steps.a.status == 3',
      'expressionType: is not valid: no such overload: string == int at character 1 of `steps.a.status == 3`',
    ],
    ['foo(1)', "expressionType: is not valid: found no matching overload for 'foo(int)' at character 1 of `foo(1)`"],
    [
      'has(steps["my-step"].outputs.x)',
      'expressionType: is not valid: has() invalid argument at character 5 of `has(steps["my-step"].outputs.x)`; has() takes dots only: write "x" in steps["my-step"].outputs instead',
    ],
    [
      '[1].all(a, [1].all(b, [1].all(c, true)))',
      'expressionSize: may use at most 4 of all, exists, exists_one, map, filter, nested at most 2 deep; compute more in a COMMAND step',
    ],
    [`[${'1,'.repeat(600)}1].size() > 1`, 'expressionSize: is too large an expression: Exceeded maxListElements (500)'],
    ['x'.repeat(4097), 'expressionSize: has an expression of more than 4096 characters'],
  ])('refuses %s', (source, problem) => {
    expect(check(source)[0]).toBe(problem);
  });

  it('lets values be of any type', () => {
    expect(check('1 + 1', 'value')).toEqual([]);
    expect(check('steps.a.outputs', 'value')).toEqual([]);
  });

  it('names every unknown reference once', () => {
    expect(check('steps.b.status == steps.later.status || steps.b.attempt == 1')).toEqual([
      'expressionReference: refers to step "b", which does not exist',
      'expressionReference: refers to step "later", which runs later',
    ]);
  });
});
