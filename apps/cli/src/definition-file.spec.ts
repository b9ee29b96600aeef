import { fieldErrorLines, parseDefinition } from './definition-file.js';
import { UsageError } from './failure.js';

function failureOf(source: string, name = 'job.yaml'): UsageError {
  try {
    parseDefinition(source, name);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseDefinition', () => {
  it('reads YAML and JSON alike', () => {
    const fromYaml = parseDefinition('name: a\nsteps:\n  - { key: b, type: GATE }\n', 'job.yaml');
    expect(fromYaml.value).toEqual({ name: 'a', steps: [{ key: 'b', type: 'GATE' }] });
    expect(parseDefinition(JSON.stringify(fromYaml.value), 'job.json').value).toEqual(fromYaml.value);
  });

  it('names the line and the column of a syntax error, and shows the line', () => {
    const error = failureOf('name: a\nsteps:\n  - key: "b\n    type: GATE\n');
    expect(error.message).toMatch(/^job\.yaml:\d+:\d+: .*quote/i);
    expect(error.message).not.toContain('\n');
    expect(error.details.join('\n')).toContain('type: GATE');
    expect(error.details.join('\n')).toContain('^');
  });

  it.each([
    ['{\n  "name": "a"\n  "steps": []\n}', 'job.json:3:3: not valid JSON: comma expected'],
    ['{"name": "a", "steps": [', 'job.json:1:25: not valid JSON: close bracket expected'],
    ['{"name": "a", "name": "b"}', 'job.json:1:15: not valid JSON: a name stands twice in one object'],
    ["{'name': 'a']", 'job.json:1:2: not valid JSON: invalid symbol'],
  ])('speaks of JSON where %j is wrong', (source, message) => {
    const error = failureOf(source, 'job.json');
    expect(error.message).toBe(message);
    expect(error.details.at(-1)).toMatch(/^ *\^$/);
    expect(failureOf(source, '<stdin>').message).toBe(message.replace('job.json', '<stdin>'));
  });

  it.each(['a: b: c\n', 'a: @x\n', 'name: a\nsteps: [\n'])('names the place in %j once', (source) => {
    expect(failureOf(source).message).toMatch(/^job\.yaml:\d+:\d+: (?!.*(line \d|please use))/);
  });

  it('refuses a key that is given twice', () => {
    expect(failureOf('name: a\nname: b\n').message).toMatch(/^job\.yaml:2:1: .*unique/i);
  });

  it.each([
    ['', /is empty/],
    ['# only a remark\n', /must be a mapping|is empty/],
    ['- a\n- b\n', /must be a mapping/],
    ['just text', /must be a mapping/],
    ['a: 1\n---\nb: 2\n', /2 documents/],
    ['a: *missing\n', /missing/],
  ])('refuses %j', (source, message) => expect(failureOf(source).message).toMatch(message));

  it('refuses aliases that explode', () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(', ')}]`,
    );
    expect(failureOf(['a0: &a0 x', ...levels].join('\n')).message).toMatch(/alias/i);
  });
});

describe('fieldErrorLines', () => {
  const source = 'name: a\nsteps:\n  - key: build\n    phase: SOON\n  - type: GATE\n';
  const definition = parseDefinition(source, 'job.yaml');
  const line = (field: string): string =>
    fieldErrorLines([{ field, rule: 'r', message: 'is wrong' }], definition)[0] ?? '';

  it('points at the value in the file', () => {
    expect(line('steps[0].phase')).toBe('job.yaml:4:12  steps[0].phase: is wrong');
    expect(line('name')).toBe('job.yaml:1:7  name: is wrong');
  });

  it('points at what is around a field that is missing', () => {
    expect(line('steps[1].key')).toBe('job.yaml:5:5  steps[1].key: is wrong');
    expect(line('other')).toBe('job.yaml  other: is wrong');
  });
});
