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
