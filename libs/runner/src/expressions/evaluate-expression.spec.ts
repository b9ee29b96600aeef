import { AppError, type Json } from '#kernel';
import fc from 'fast-check';
import { evaluateCondition, evaluateValue } from './evaluate-expression.js';
import type { ExpressionContext, StepView } from './expression-context.js';
import { interpolate, interpolateJson, templateExpressions } from './interpolate.js';

const step = (view: Partial<StepView> = {}): StepView => ({
  status: 'COMPLETED',
  outputs: {},
  exitCode: 0,
  attempt: 1,
  error: null,
  ...view,
});

const context: ExpressionContext = {
  steps: {
    a: step({
      outputs: {
        count: 3,
        text: '3',
        ratio: 0.5,
        list: [1, 2, 3],
        map: { x: null },
        big: 2 ** 53,
        long: `${'a'.repeat(40)}b`,
        name: 'O\'Neil "x"',
      },
    }),
    'my-step': step({ status: 'SKIPPED', exitCode: null }),
    bad: step({ status: 'FAILED', exitCode: 7, error: { code: 'COMMAND_FAILED', message: 'exit 7' } }),
  },
  job: {
    ...{ id: 'j1', name: 'job', kind: 'PIPELINE', priority: 5, workspaceId: 'w1', failed: true },
    ...{ projectId: null, tags: ['nightly'], metadata: { customer: 'acme', size: 3 } },
  },
};

function reasonOf(source: string, given: ExpressionContext = context): string {
  try {
    evaluateCondition(source, given);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('EXPRESSION_FAILED');
    expect(error.message).toContain(source.slice(0, 100));
    return String(error.details['reason']);
  }
  throw new Error('no error');
}

describe('evaluateCondition', () => {
  it.each([
    'steps.a.outputs.count > 2',
    'steps.a.outputs.count == 3',
    'int(steps.a.outputs.text) > 2',
    'steps.a.outputs.ratio < 1',
    'steps.a.outputs.count > 2.5',
    'steps.a.outputs.count * 0.5 == 1.5',
    '1.0 + steps.a.outputs.count == 4.0',
    'steps.a.outputs.list[0] == 1 && size(steps.a.outputs.list) == 3',
    'steps.a.outputs.list.exists(x, x == 2) && steps.a.outputs.list.all(x, x > 0)',
    'steps["my-step"].status == "SKIPPED" && steps["my-step"].exitCode == null',
    '"nightly" in job.tags && job.metadata.customer == "acme" && job.metadata.size > 2 && job.projectId == null',
    '!("x" in steps["my-step"].outputs) && "count" in steps.a.outputs',
    '!has(steps.a.outputs.missing) && has(steps.a.outputs.count)',
    'steps.bad.error.code == "COMMAND_FAILED" && steps.bad.exitCode == 7 && steps.a.error == null',
    'steps.a.attempt == 1 && job.priority == 5 && job.failed && job.kind == "PIPELINE"',
    'steps.a.outputs.map.x == null',
    'steps.a.outputs.text.matches("^[0-9]+$")',
  ])('%s is true', (source) => {
    expect(evaluateCondition(source, context)).toBe(true);
  });

  it.each([
    [
      'steps.a.outputs.missing > 2',
      'steps.a.outputs has no "missing"; it has: count, text, ratio, list, map, big, long, name',
    ],
    ['steps["my-step"].outputs.x == 1', 'steps["my-step"].outputs has no "x"; that step is SKIPPED and has no outputs'],
    [
      'steps["my-step"].outputs["x"] == 1',
      'steps["my-step"].outputs has no "x"; that step is SKIPPED and has no outputs',
    ],
    ['steps.a.outputs.map.y == 1', 'steps.a.outputs.map has no "y"'],
    ['steps.nowhere.status == "x"', 'steps has no "nowhere"'],
    ['steps.a.outputs.text > 2', 'no such overload: dyn<string> > int'],
    ['steps.a.outputs.count', 'it must give true or false, but gives 3'],
    ['1 / 0 == 1', 'division by zero'],
  ])('%s says why it fails', (source, reason) => {
    expect(reasonOf(source)).toBe(reason);
  });

  it.each(['constructor', '__proto__', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'])(
    'gives no access to %s',
    (name) => {
      for (const owner of [
        'steps',
        'steps.a',
        'steps.a.outputs',
        'steps.a.outputs.map',
        'steps.a.outputs.list',
        'steps.a.outputs.text',
        'job',
        'job.name',
      ]) {
        for (const source of [
          `${owner}.${name}`,
          `${owner}["${name}"]`,
          `${owner}.${name}()`,
          `${owner}.${name}.${name}`,
        ]) {
          expect(() => evaluateValue(source, context)).toThrow(AppError);
        }
      }
      expect(() => evaluateValue(name, context)).toThrow(AppError);
    },
  );

  it('treats keys that JavaScript knows as plain data', () => {
    const outputs = JSON.parse('{"__proto__":"p","constructor":"c"}') as Record<string, Json>;
    const given = { ...context, steps: { a: step({ outputs }) } };
    expect(evaluateValue('steps.a.outputs["__proto__"] + steps.a.outputs.constructor', given)).toBe('pc');
  });
});

describe('an expression is bounded', () => {
  it('in time, also inside a regular expression', () => {
    const before = performance.now();
    expect(reasonOf('steps.a.outputs.long.matches("^(a+)+$")')).toBe('it ran for more than 250 ms');
    expect(performance.now() - before).toBeLessThan(5000);
    expect(evaluateCondition('steps.a.outputs.text.matches("3")', context)).toBe(true);
  });

  it('in nested loops and growing lists', () => {
    const list = Array.from({ length: 5000 }, (_, i) => i);
    const given = { ...context, steps: { a: step({ outputs: { list } }) } };
    expect(reasonOf('steps.a.outputs.list.all(x, steps.a.outputs.list.all(y, x + y >= 0))', given)).toBe(
      'it ran for more than 250 ms',
    );
    const doubling = `[steps.a.outputs.list]${'.map(x, x + x)'.repeat(4)}.size() == 1`;
    expect(evaluateCondition(doubling, given)).toBe(true);
    expect(evaluateCondition('size(steps.a.outputs.list) == 5000', given)).toBe(true);
  });

  it('in the size of its text and of its result', () => {
    expect(reasonOf(`"${'x'.repeat(5000)}" == ""`)).toBe('it is longer than 4096 characters');
    expect(reasonOf(`${'('.repeat(60)}true${')'.repeat(60)}`)).toMatch(/maxDepth/);
    const given = { ...context, steps: { a: step({ outputs: { s: 'x'.repeat(200_000) } }) } };
    expect(reasonOf('steps.a.outputs.s + steps.a.outputs.s', given)).toBe('it gives more than 262144 characters');
  });
});

describe('evaluateValue', () => {
  it.each([
    ['steps.a.outputs.list.map(x, x * 2)', [2, 4, 6]],
    ['steps.a.outputs.map', { x: null }],
    ['steps.bad.error', { code: 'COMMAND_FAILED', message: 'exit 7' }],
    ['steps["my-step"]', { status: 'SKIPPED', outputs: {}, exitCode: null, attempt: 1, error: null }],
    ['9007199254740993', '9007199254740993'],
    ['timestamp("2024-01-01T00:00:00Z")', '2024-01-01T00:00:00.000Z'],
    ['duration("90s")', '90s'],
    ['b"hi"', 'aGk='],
    ['uint("3")', 3],
    ['[1, "a", 1.5, null, true]', [1, 'a', 1.5, null, true]],
    ['{"a": {"b": 1}}', { a: { b: 1 } }],
  ])('%s', (source, value) => {
    expect(evaluateValue(source, context)).toEqual(value);
  });

  it('has no JSON for infinity and types', () => {
    expect(() => evaluateValue('double("inf")', context)).toThrow('which is not a number in JSON');
    expect(() => evaluateValue('type(1)', context)).toThrow('no JSON form');
  });

  it('gives outputs back as they came', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as Json;
        const given = { ...context, steps: { a: step({ outputs: { value: json } }) } };
        const expected = JSON.stringify(json);
        expect(JSON.stringify(evaluateValue('steps.a.outputs.value', given))).toBe(expected);
      }),
    );
  });

  it('fails with EXPRESSION_FAILED and nothing else, whatever the text', () => {
    const word = fc.constantFrom(
      'steps',
      '.',
      'a',
      'outputs',
      '[',
      ']',
      '(',
      ')',
      '"x"',
      '1',
      '+',
      '-',
      '?',
      ':',
      'in',
      '&&',
      'has',
      'map',
      ',',
      'job',
      '{',
      '}',
      'x',
      ' ',
      "'",
      '\\',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 15 }).map((words) => words.join('')),
        ),
        (source) => {
          try {
            JSON.stringify(evaluateValue(source, context));
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
            expect((error as AppError).code).toBe('EXPRESSION_FAILED');
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('interpolate', () => {
  it.each([
    ['plain $ {{ }} ${x}', 'plain $ {{ }} ${x}'],
    ['n=${{ steps.a.outputs.count }}!', 'n=3!'],
    ['${{steps.a.outputs.text}}${{ job.failed }}', '3true'],
    ['${{ steps.a.outputs.list }} ${{ steps.a.outputs.map }}', '[1,2,3] {"x":null}'],
    ['${{ {"a": {"b": 1}} }}', '{"a":{"b":1}}'],
    ['${{ "}}" }}|${{ \'}}\' }}|${{ r"\\d" }}|${{ """a"}}""" }}', '}}|}}|\\d|a"}}'],
    ['$${{ job.id }} and $$${{ x', '${{ job.id }} and $${{ x'],
    ['${{ steps.a.outputs.name }}', 'O\'Neil "x"'],
  ])('%s', (template, text) => {
    expect(interpolate(template, context)).toBe(text);
  });

  it('fills strings at any depth and leaves keys alone', () => {
    expect(interpolateJson({ '${{ job.id }}': ['${{ job.id }}', 1, null, { x: '${{ 1 + 1 }}' }] }, context)).toEqual({
      '${{ job.id }}': ['j1', 1, null, { x: '2' }],
    });
  });

  it('lists its expressions, or says where one does not end', () => {
    expect(templateExpressions('${{ a }}-$${{ b }}-${{c}}')).toEqual({ expressions: ['a', 'c'], problem: null });
    expect(templateExpressions('x\n${{ "}}" ').problem).toContain('line 2 has no closing }}');
    expect(() => interpolate('${{ job.id', context)).toThrow(AppError);
  });

  it('never changes text without expressions', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('${{')),
        (text) => interpolate(text, context) === text,
      ),
    );
  });
});
