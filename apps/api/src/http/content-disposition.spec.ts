import { attachment } from './content-disposition.js';

describe('the name of a download', () => {
  it.each([
    ['report/summary.md', `attachment; filename="summary.md"; filename*=UTF-8''summary.md`],
    ['Übersicht "1".txt', `attachment; filename="_bersicht _1_.txt"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.txt`],
    [`it's (a) *star*`, `attachment; filename="it's (a) *star*"; filename*=UTF-8''it%27s%20%28a%29%20%2Astar%2A`],
    [
      'a\r\nSet-Cookie: x=1',
      `attachment; filename="a__Set-Cookie: x=1"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x%3D1`,
    ],
  ])('%j', (path, expected) => {
    expect(attachment(path)).toBe(expected);
  });
});
