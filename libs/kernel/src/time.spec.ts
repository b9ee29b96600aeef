import fc from 'fast-check';
import { canonicalTime } from './time.js';

describe('a time with an offset', () => {
  it.each([
    ['2026-11-21T12:00:00Z', '2026-11-21T12:00:00.000Z'],
    ['2026-11-21t12:00:00z', '2026-11-21T12:00:00.000Z'],
    ['2026-11-21 12:00:00.5+05:30', '2026-11-21T06:30:00.500Z'],
    ['2026-11-21T12:00:00.123999999-08:00', '2026-11-21T20:00:00.123Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00-00:00', '2000-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, time) => {
    expect(canonicalTime(text)).toBe(time);
  });

  it.each([
    ['', '2026-11-21', '2026-11-21T12:00Z', '2026-11-21T12:00:00', '2026-11-21T12:00:00+0100', '20261121T120000Z'],
    [
      '2026-02-29T00:00:00Z',
      '1900-02-29T00:00:00Z',
      '2026-04-31T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-00-01T00:00:00Z',
    ],
    [
      '2026-01-00T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
      '2026-01-01T00:00:60Z',
      '2026-01-01T00:00:00+24:00',
    ],
    ['9999-12-31T23:59:59-01:00', '0000-01-01T00:00:00+01:00', '+02026-01-01T00:00:00Z', '2026-01-01T00:00:00Z '],
  ])('refuses %s and the like', (...texts) => {
    expect(texts.map(canonicalTime)).toEqual(texts.map(() => null));
  });

  it('is itself in its own form', () => {
    const dates = fc.date({ min: new Date('0001-01-01'), max: new Date('9998-12-31'), noInvalidDate: true });
    fc.assert(fc.property(dates, (date) => expect(canonicalTime(date.toISOString())).toBe(date.toISOString())));
    fc.assert(fc.property(fc.string(), (text) => expect([null, text]).toContain(canonicalTime(text))));
  });
});
