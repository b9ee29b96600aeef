import { parseProgress } from './progress-watch.js';

describe('what a command writes of its progress', () => {
  it.each([
    ['40\n', { percent: 40, message: null }],
    ['40 copying files\n', { percent: 40, message: 'copying files' }],
    ['40%  copying \n', { percent: 40, message: 'copying' }],
    ['1\n2\n100 done\n', { percent: 100, message: 'done' }],
    ['0\n', { percent: 0, message: null }],
    ['50 told\nsomething else\n', { percent: 50, message: 'told' }],
    ['50 told\n101\n-3\n4.5\n', { percent: 50, message: 'told' }],
  ])('%j', (text, progress) => expect(parseProgress(text)).toEqual(progress));

  it.each(['', '\n', '40', 'abc\n', '101\n', '1000\n'])('%j tells nothing', (text) => {
    expect(parseProgress(text)).toBeNull();
  });

  it('does not take a line that is still being written for a whole one', () => {
    expect(parseProgress('30 first\n7')).toEqual({ percent: 30, message: 'first' });
  });

  it('keeps a message short', () => {
    expect(parseProgress(`5 ${'x'.repeat(2_000)}\n`)?.message).toHaveLength(500);
  });
});
