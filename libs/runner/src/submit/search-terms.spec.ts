import fc from 'fast-check';
import { metadataTerm, searchTerms } from './search-terms.js';

describe('the words that a job is found by', () => {
  it('are its tags and the scalars at the top of its metadata', () => {
    const metadata = { customer: 'acme', size: 3, ok: false, nothing: null, list: ['x'], map: { y: 1 }, empty: '' };
    expect(searchTerms(['a', 'a', 'b'], metadata)).toEqual([
      ...['tag=a', 'tag=b', 'meta.customer=acme', 'meta.size=3', 'meta.ok=false', 'meta.empty='],
    ]);
  });

  it('leave out what no index can hold', () => {
    expect(searchTerms([], { ['k'.repeat(101)]: 'v', long: 'v'.repeat(201), fits: 'v'.repeat(200) })).toEqual([
      `meta.fits=${'v'.repeat(200)}`,
    ]);
  });

  it('are another for another name or value', () => {
    const member = fc.tuple(
      fc.string({ unit: fc.constantFrom('a', '=', '%', '3', 'D') }),
      fc.string({ unit: fc.constantFrom('a', '=', '%') }),
    );
    fc.assert(
      fc.property(member, member, (one, other) => {
        expect(metadataTerm(...one) === metadataTerm(...other)).toBe(one[0] === other[0] && one[1] === other[1]);
      }),
      { numRuns: 1000 },
    );
  });
});
