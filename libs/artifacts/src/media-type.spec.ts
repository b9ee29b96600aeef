import { mediaTypeOf } from './media-type.js';

describe('mediaTypeOf', () => {
  it.each([
    ['report/inventory.json', 'application/json; charset=utf-8'],
    ['README.MD', 'text/markdown; charset=utf-8'],
    ['a/b.txt', 'text/plain; charset=utf-8'],
    ['logo.svg', 'image/svg+xml; charset=utf-8'],
    ['shot.png', 'image/png'],
    ['all.tar.gz', 'application/gzip'],
    ['Makefile', 'application/octet-stream'],
  ])('calls %s %s', (path, type) => {
    expect(mediaTypeOf(path)).toBe(type);
  });
});
