import fc from 'fast-check';
import { entryPaths } from './entry-paths.js';

describe('entryPaths', () => {
  it('leaves ordinary names alone', () => {
    const names = ['file/a.txt', 'file/out/b', 'report/weekly', 'file/.hidden', 'file/ä 😀.md', 'file/...a'];
    expect(entryPaths(names)).toEqual(names);
  });

  it.each([
    ['file/../../etc/passwd', 'file/__/__/etc/passwd'],
    ['file//etc/passwd', 'file/etc/passwd'],
    ['/abs', 'abs'],
    ['file/./x', 'file/_/x'],
    ['file/..\\..\\x', 'file/.._.._x'],
    ['file/C:\\x', 'file/C__x'],
    ['file/.. /x', 'file/___/x'],
    ['file/a\nb\0c\u007f', 'file/a_b_c_'],
    ['file/<>:"|?*', 'file/_______'],
    ['file/', 'file'],
    ['/', '_'],
    ['manifest.json/x', 'manifest.json_/x'],
    ['manifest.json', 'manifest.json_'],
    [`file/${'😀'.repeat(100)}`, `file/${'😀'.repeat(50)}`],
  ])('makes %j harmless', (name, path) => {
    expect(entryPaths([name])).toEqual([path]);
  });

  it('numbers equal ones, and leaves a name to whom it belongs', () => {
    expect(entryPaths(['f/a.txt', 'f/a.txt', 'f/a~2.txt', 'f/a.txt', 'f/x', 'f/x', 'f/.y', 'f/.y'])).toEqual([
      'f/a.txt',
      'f/a~3.txt',
      'f/a~2.txt',
      'f/a~4.txt',
      'f/x',
      'f/x~2',
      'f/.y',
      'f/.y~2',
    ]);
  });

  it('gives way where a file would be in the place of a folder', () => {
    expect(entryPaths(['r/weekly', 'r/weekly/a.md', 'r/weekly~2/b'])).toEqual([
      'r/weekly~3',
      'r/weekly/a.md',
      'r/weekly~2/b',
    ]);
  });

  it('gives different paths that stay inside, whatever the names', () => {
    const part = fc.oneof(fc.constantFrom('a', 'a~2', 'b', '..', '.', '', 'manifest.json', 'a.', 'A'), fc.string());
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), (names) => {
        const paths = entryPaths(names);
        expect(new Set(paths).size).toBe(names.length);
        for (const path of paths) {
          expect(path).not.toMatch(/[\\:\p{Cc}]/u);
          expect(path.split('/').filter((each) => ['', '.', '..'].includes(each))).toEqual([]);
          expect(paths.filter((other) => other.startsWith(`${path}/`))).toEqual([]);
          expect(path === 'manifest.json' || path.startsWith('manifest.json/')).toBe(false);
        }
        expect(entryPaths(names)).toEqual(paths);
      }),
    );
  });
});
