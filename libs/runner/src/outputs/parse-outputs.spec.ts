import fc from 'fast-check';
import { AppError } from '#kernel';
import { parseOutputs } from './parse-outputs.js';

function reasonOf(text: string): string {
  try {
    parseOutputs(text);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('OUTPUT_INVALID');
    return error.message;
  }
  throw new Error('no error');
}

describe('parseOutputs', () => {
  it('reads assignments, JSON objects and texts of several lines; the later wins', () => {
    const text =
      'count=3\r\n\nurl=a=b<<c\n{"n": 1, "list": [1, {"x": null}]}\nbody<<END\nfirst\n\n key=no\nEND\ncount=4\nempty=\n  \n';
    expect(parseOutputs(text).outputs).toEqual({
      count: '4',
      url: 'a=b<<c',
      n: 1,
      list: [1, { x: null }],
      body: 'first\n\n key=no',
      empty: '',
    });
  });

  it('has no outputs in an empty file', () => {
    expect(parseOutputs('')).toEqual({ outputs: {} });
  });

  it('replaces what PostgreSQL cannot store', () => {
    expect(parseOutputs('a=x\0y\ud800\n{"b": {"k\\u0000": "\\udc00", "ok": "\\ud83d\\ude00"}}').outputs).toEqual({
      a: 'x\ufffdy\ufffd',
      b: { 'k\ufffd': '\ufffd', ok: '\u{1f600}' },
    });
  });

  it.each([
    ['ok=1\nnonsense', 'line 2 of the outputs: "nonsense" is neither key=value, key<<WORD nor a JSON object'],
    ['1a=x', 'line 1 of the outputs: "1a" is not a key'],
    ['a b=x', 'line 1 of the outputs: "a b" is not a key'],
    [`${'k'.repeat(65)}=x`, 'is not a key'],
    ['__proto__=x', 'line 1 of the outputs: "__proto__" is not a key'],
    ['{"a": 1', 'line 1 of the outputs: "{"a": 1" is not a JSON object'],
    ['{"a b": 1}', 'line 1 of the outputs: "a b" is not a key'],
    ['{"a": 1e999}', 'line 1 of the outputs: a number is too large'],
    [`{"a": ${'['.repeat(30)}${']'.repeat(30)}}`, 'nested deeper than 20'],
    ['x=1\na<<END\nb\n', 'line 2 of the outputs: the value of a has no closing line "END"'],
    ['a<<\nb', 'line 1 of the outputs: a<< needs a word that ends the value'],
    [
      Array.from({ length: 201 }, (_, i) => `k${i}=x`).join('\n'),
      'line 201 of the outputs: there are more than 200 outputs',
    ],
    [`a=${'é'.repeat(33 * 1024)}`, 'the outputs are larger than 64 KiB'],
  ])('%j', (text, reason) => {
    expect(reasonOf(text)).toContain(reason);
  });

  it('gives back what was written, whatever the value', () => {
    const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,20}$/).filter((name) => name !== '__proto__');
    fc.assert(
      fc.property(
        fc.dictionary(
          key,
          fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0')),
        ),
        (values) => {
          const expected = JSON.parse(JSON.stringify(values)) as object;
          const plain = Object.entries(values).filter(([, value]) => !/[\r\n]/.test(value));
          expect(parseOutputs(plain.map(([name, value]) => `${name}=${value}`).join('\n')).outputs).toEqual(
            Object.fromEntries(plain),
          );
          expect(parseOutputs(JSON.stringify(values)).outputs).toEqual(expected);
        },
      ),
    );
  });

  it('gives outputs or OUTPUT_INVALID, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a=1', 'a<<E', 'E', '{"a":1}', '\n'))),
        (lines) => {
          try {
            expect(JSON.stringify(parseOutputs(lines.join('\n')))).not.toContain('\\u0000');
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
          }
        },
      ),
    );
  });
});
