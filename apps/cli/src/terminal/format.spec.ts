import {
  alignRight,
  cleanLine,
  counted,
  formatAge,
  formatBytes,
  formatDuration,
  formatUntil,
  truncate,
  widthOf,
  wrap,
} from './format.js';

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [59_949, '59.9 s'],
    [59_950, '1 m 00 s'],
    [123_400, '2 m 03 s'],
    [3_720_000, '1 h 02 m'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [999_600, '1.0 MB'],
    [12_345_678, '12.3 MB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatAge', () => {
  const now = Date.parse('2026-01-03T00:00:00.000Z');
  it.each([
    ['2026-01-02T23:59:30.000Z', 'just now'],
    ['2026-01-02T23:55:00.000Z', '5 min ago'],
    ['2026-01-02T21:00:00.000Z', '3 h ago'],
    ['2026-01-01T00:00:00.000Z', '2 days ago'],
  ])('%s is %s', (time, text) => expect(formatAge(time, now)).toBe(text));
});

describe('formatUntil', () => {
  const now = Date.parse('2026-01-01T00:00:00.000Z');
  it.each([
    ['2025-12-31T23:59:59.000Z', 'over'],
    ['2026-01-01T00:00:30.000Z', 'in 1 min'],
    ['2026-01-01T00:59:00.000Z', 'in 59 min'],
    ['2026-01-01T03:10:00.000Z', 'in 3 h'],
    ['2026-01-03T00:00:00.000Z', 'in 2 days'],
  ])('%s is %s', (time, text) => expect(formatUntil(time, now)).toBe(text));
});

describe('cleanLine', () => {
  it('takes away everything that would steer the terminal', () => {
    expect(cleanLine('\u001b[31mred\u001b[0m \u001b]0;title\u0007bell\u0007 \u001b[2J')).toBe('red bell ');
  });

  it('keeps the last version of a line that rewrites itself', () => {
    expect(cleanLine('10 %\r50 %\r100 %\r')).toBe('100 %');
  });

  it('keeps what people write in other scripts', () => {
    expect(cleanLine('größe 漢字 ✓\tx')).toBe('größe 漢字 ✓    x');
  });
});

describe('truncate and alignRight', () => {
  it('count columns, not characters', () => {
    expect(truncate('漢字漢字', 5)).toBe('漢字…');
    expect(widthOf(alignRight('漢字', 'ok', 20))).toBe(20);
    expect(alignRight('too long for it', 'x', 10)).toBe('too long for it  x');
  });
});

describe('counted', () => {
  it.each([
    [0, '0 steps'],
    [1, '1 step'],
    [2, '2 steps'],
  ])('%d is %s', (count, text) => expect(counted(count, 'step')).toBe(text));
});

describe('wrap', () => {
  it.each([
    ['', ['']],
    ['fits', ['fits']],
    ['one two three four', ['one two', 'three four']],
    ['one two   three', ['one two', 'three']],
    ['  indented text that goes on', ['  indented', 'text that', 'goes on']],
    ['a wordthatiswiderthanall b', ['a', 'wordthatis', 'widerthana', 'll b']],
    ['漢字漢字漢字漢', ['漢字漢字漢', '字漢']],
    ['           x', ['x']],
  ])('breaks %j', (text, lines) => expect(wrap(text, 10)).toEqual(lines));

  it('leaves text as it is where there is no width to keep', () => {
    const text = 'x '.repeat(1_000);
    expect(wrap(text, Infinity)).toEqual([text]);
  });
});
