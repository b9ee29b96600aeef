import { AppError } from '#kernel';
import { parseJobDefinition, parseSubmission } from './parse-job-definition.js';

const VALUE = 'correct horse battery';
const job = (more: object = {}, step: object = {}): object => ({
  name: 'x',
  steps: [{ key: 'a', type: 'COMMAND', run: 'true', ...step }],
  ...more,
});

function problems(input: unknown, parse: (input: unknown) => unknown = parseSubmission): string[] {
  try {
    parse(input);
  } catch (error) {
    if (error instanceof AppError) return error.fields.map((field) => `${field.rule} ${field.message}`);
    throw error;
  }
  return [];
}

describe('the secrets of a submission', () => {
  it('are given apart from the definition, which has their names only', () => {
    const input = job({ secrets: { TOKEN: VALUE, KEY: `${VALUE}\nmore` } }, { secrets: ['TOKEN', 'TOKEN'] });
    const { definition, secrets } = parseSubmission(input);
    expect(secrets).toEqual({ TOKEN: VALUE, KEY: `${VALUE}\nmore` });
    expect(definition.secretNames).toEqual(['KEY', 'TOKEN']);
    expect(definition.steps[0]).toMatchObject({ secrets: ['TOKEN'] });
    expect(JSON.stringify(definition)).not.toContain('horse');
  });

  it('leave no trace where there are none', () => {
    for (const input of [job(), job({ secrets: {} }), job({ secrets: null }, { secrets: [] })]) {
      const { definition, secrets } = parseSubmission(input);
      expect(secrets).toEqual({});
      expect(JSON.stringify(definition)).not.toMatch(/secret/);
    }
  });

  it.each([
    [job({ secrets: 'x' }), 'isObject secrets must be an object'],
    [job({ secrets: ['x'] }), 'isObject secrets must be an object'],
    [job({ secrets: { A: 12345678 } }), 'isString secrets.A must be a string'],
    [job({ secrets: { A: 'hunter2' } }), 'minLength secrets.A must have at least 8 characters'],
    [job({ secrets: { A: '  hunter2  ' } }), 'minLength secrets.A must have at least 8 characters'],
    [job({ secrets: { '1A': VALUE } }), 'envName secrets["1A"] must be named'],
    [job({ secrets: { RUNLEDGER_X: VALUE } }), 'envName secrets.RUNLEDGER_X must not be named'],
    [job({ secrets: { A: 'x'.repeat(20_000), B: 'x'.repeat(20_000) } }), 'maxBytes secrets must have at most 32 KiB'],
    [
      job({ secrets: Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`S${at}`, VALUE])) }),
      'maxEntries secrets must have at most 50 entries',
    ],
    [job({}, { secrets: ['TOKEN'] }), 'knownSecret steps[0].secrets[0] names a secret that is not given'],
    [job({ secrets: { A: VALUE } }, { secrets: ['B'] }), 'secrets has: A'],
    [job({ secrets: { A: VALUE } }, { secrets: ['toString'] }), 'knownSecret steps[0].secrets[0]'],
    [job({ secrets: { A: VALUE } }, { secrets: 'A' }), 'isArray steps[0].secrets must be a list'],
    [job({ secrets: { A: VALUE } }, { secrets: [{}] }), 'knownSecret steps[0].secrets[0]'],
    [job({ secrets: { A: VALUE } }, { secrets: ['A'], env: { A: 'x' } }), 'envTwice steps[0].secrets[0] is set by env'],
    [job({ secrets: { A: VALUE }, env: { A: 'x' } }, { secrets: ['A'] }), 'envTwice steps[0].secrets[0] is set by env'],
    [job({ secretNames: ['A'] }), 'unknownField secretNames'],
    [
      { ...job({ secrets: { A: VALUE } }), steps: [{ key: 'g', type: 'GATE', condition: 'true', secrets: ['A'] }] },
      'stepType steps[0].secrets belongs to COMMAND steps only',
    ],
  ])('are refused when they break a rule: %#', (input, message) => {
    const found = problems(input);
    expect(found).toEqual(expect.arrayContaining([expect.stringContaining(message)]));
    for (const text of found) expect(text).not.toMatch(/horse|hunter2|xxxx/);
  });

  it('have no place in a definition that is kept', () => {
    expect(problems(job({ secrets: { A: VALUE } }, { secrets: ['A'] }), parseJobDefinition)).toEqual([
      expect.stringContaining('notHere secrets belong to a job'),
      expect.stringContaining('knownSecret'),
    ]);
  });

  it.each([
    null,
    1,
    'x',
    [],
    { secrets: { A: VALUE } },
    { steps: 7, secrets: {} },
    { steps: [null], secrets: { a: {} } },
  ])('never make the checks fail: %j', (input) => {
    expect(problems(input).length).toBeGreaterThan(0);
  });
});
