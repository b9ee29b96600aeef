import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { canonicalJson } from './canonical-json.js';
import type { Json } from './json.js';

/** A number by the bits of its IEEE 754 representation, as RFC 8785 lists its samples. */
function double(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE(0);
}

describe('canonicalJson: samples of RFC 8785', () => {
  it('writes the document of section 3.2.2 as section 3.2.3 has it', () => {
    const source = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(source) as Json)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it('gives the UTF-8 bytes of section 3.2.4', () => {
    const text = canonicalJson({ string: '\u20ac$\u000f\nA\'B"\\\\"/' });
    expect(Buffer.from(text, 'utf8').toString('hex')).toBe(
      '7b22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d',
    );
  });

  it('sorts keys by UTF-16 code units, not by code points or languages (section 3.2.3)', () => {
    const source = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(canonicalJson(source)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign",' +
        '"😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  // Appendix B.
  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('writes the double %s as %s', (bits, text) => {
    expect(canonicalJson(double(bits))).toBe(text);
  });

  it.each(['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'])('refuses the double %s', (bits) => {
    expect(() => canonicalJson({ durationMs: double(bits) })).toThrow(
      /(NaN|Infinity) cannot be written as canonical JSON \(at "durationMs"\)/,
    );
  });
});

describe('canonicalJson: values', () => {
  it('does not depend on the order in which keys were set, at any depth', () => {
    expect(canonicalJson({ b: { d: 1, c: 2 }, a: [] })).toBe(canonicalJson({ a: [], b: { c: 2, d: 1 } }));
    expect(canonicalJson({ b: { d: 1, c: 2 }, a: [] })).toBe('{"a":[],"b":{"c":2,"d":1}}');
  });

  it('keeps the order of arrays and the difference between 1 and "1"', () => {
    expect(canonicalJson([3, '1', 1])).toBe('[3,"1",1]');
  });

  it.each(['__proto__', 'constructor', 'toString', '', '10', '9', '"', '\\', '\u0000', '\u2028', '\u007f'])(
    'writes the key %j',
    (key) => {
      const object = JSON.parse(`{${JSON.stringify(key)}:1,"z":2}`) as Json;
      expect(JSON.parse(canonicalJson(object))).toEqual(object);
      expect(canonicalJson(object)).toContain(`${JSON.stringify(key)}:1`);
    },
  );

  it('takes objects without a prototype and objects of another realm', () => {
    expect(canonicalJson(Object.assign(Object.create(null) as { [key: string]: Json }, { b: 1, a: 2 }))).toBe(
      '{"a":2,"b":1}',
    );
    expect(canonicalJson(runInNewContext('({ b: [1], a: 2 })') as Json)).toBe('{"a":2,"b":[1]}');
  });
});

describe('canonicalJson: refusals', () => {
  it.each<[string, unknown, RegExp]>([
    ['undefined', { message: undefined }, /^undefined cannot be .* \(at "message"\)$/],
    ['a hole in an array', { list: new Array<number>(1) }, /^undefined cannot be .* \(at 0\)$/],
    ['a bigint', { size: 1n }, /^a bigint cannot be .* \(at "size"\)$/],
    ['a function', { run: () => 1 }, /^a function cannot be/],
    ['a symbol', { tag: Symbol('x') }, /^a symbol cannot be/],
    ['a date', { at: new Date(0) }, /^an object of class Date cannot be .* \(at "at"\)$/],
    ['a map', { map: new Map() }, /^an object of class Map cannot be/],
    ['a boxed string', { text: new String('x') }, /^an object of class String cannot be/],
    ['a lone high surrogate', { text: 'a\ud800b' }, /lone surrogate .*at "text"/],
    ['a lone low surrogate', { text: '\udc00' }, /lone surrogate/],
    ['surrogates in the wrong order', { text: '\ude00\ud83d' }, /lone surrogate/],
    ['a key with a lone surrogate', { 'a\udead': 1 }, /lone surrogate/],
    ['undefined itself', undefined, /^undefined cannot be written as canonical JSON$/],
  ])('refuses %s', (_name, value, message) => {
    expect(() => canonicalJson(value as Json)).toThrow(message);
    expect(() => canonicalJson(value as Json)).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED', retryable: false }),
    );
  });

  it('refuses a cycle and nesting that would exhaust the stack, with a message', () => {
    const cycle: { self?: Json } = {};
    cycle.self = cycle;
    expect(() => canonicalJson(cycle as Json)).toThrow(/nesting deeper than 500 levels/);
    expect(() => canonicalJson(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as Json)).toThrow(
      /nesting deeper/,
    );
    const allowed = '['.repeat(500) + ']'.repeat(500);
    expect(canonicalJson(JSON.parse(allowed) as Json)).toBe(allowed);
  });
});

describe('canonicalJson: properties', () => {
  /** Keys and strings over all of Unicode. */
  const json = fc.jsonValue({ stringUnit: 'binary' }) as fc.Arbitrary<Json>;

  it('agrees with an independent implementation', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it('agrees with it on every double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it('loses nothing, and is a fixed point', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        const back = JSON.parse(text) as Json;
        expect(canonicalJson(back)).toBe(text);
        expect(JSON.parse(JSON.stringify(value))).toEqual(back);
      }),
    );
  });
});
