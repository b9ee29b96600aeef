import { AppError } from '#kernel';
import { parseJsonBody, parseYamlBody } from './body-parsers.js';

function problemOf(read: () => unknown): AppError {
  try {
    read();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error('nothing was refused');
}

describe('reading a body', () => {
  it.each([
    ['{"name": }', 'line 1, column 10'],
    ['{\n  "name": "a",\n}', 'line 3, column 1'],
    ['{"name": "a"', 'line 1, column 13'],
  ])('says where %j stops being JSON', (body, where) => {
    const problem = problemOf(() => parseJsonBody(body));
    expect(problem.code).toBe('MALFORMED_BODY');
    expect(problem.message).toContain(where);
  });

  it.each([
    ['{"name": "a", "name": "b"}', '"name"', 'line 1, column 15'],
    ['{"steps": [{"key": "a"}, {"key": "b",\n "key": "c"}]}', '"key"', 'line 2, column 2'],
    ['{"a": 1, "\\u0061": 2}', '"a"', 'line 1, column 10'],
  ])('refuses %j, where a name stands twice', (body, name, where) => {
    const problem = problemOf(() => parseJsonBody(body));
    expect(problem.code).toBe('MALFORMED_BODY');
    expect(problem.message).toContain(`${name} stands twice`);
    expect(problem.message).toContain(where);
  });

  it('takes the same name in different objects', () => {
    const body = { name: 'a', steps: [{ name: 'b' }, { name: 'b', with: { name: 'c' } }] };
    expect(parseJsonBody(JSON.stringify(body))).toEqual(body);
  });

  it('refuses what is nested too deeply to be read, and nothing breaks', () => {
    expect(problemOf(() => parseJsonBody('['.repeat(100_000) + ']'.repeat(100_000))).code).toBe('MALFORMED_BODY');
  });

  it('says where YAML cannot be read', () => {
    const problem = problemOf(() => parseYamlBody('name: a\nsteps: [\n'));
    expect(problem.code).toBe('MALFORMED_BODY');
    expect(problem.message).toMatch(/line \d+, column \d+/);
  });

  it('refuses a YAML bomb', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level += 1)
      lines.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    expect(problemOf(() => parseYamlBody(lines.join('\n'))).code).toBe('MALFORMED_BODY');
  });

  it('reads both languages', () => {
    expect(parseJsonBody('{"a":[1]}')).toEqual({ a: [1] });
    expect(parseYamlBody('a: [1]')).toEqual({ a: [1] });
  });
});

describe('a body that is broken and nested deeply', () => {
  it.each([2_000, 6_000, 200_000])('is refused like any other, %i levels deep', (levels) => {
    expect(() => parseJsonBody('['.repeat(levels))).toThrow(expect.objectContaining({ code: 'MALFORMED_BODY' }));
  });
});
