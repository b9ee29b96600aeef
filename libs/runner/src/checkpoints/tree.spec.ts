import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { packTar, type TarHeader } from 'modern-tar';
import { packTree } from './pack-tree.js';
import { EMPTY_TREE_HASH, treeHashOf } from './tree-hash.js';
import { unpackTree } from './unpack-tree.js';
import { fingerprintOf, walkTree } from './walk-tree.js';

let folder: string;
let from: string;
let to: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runledger-tree-'));
  [from, to] = [join(folder, 'from'), join(folder, 'to')];
  [from, to].forEach((path) => mkdirSync(path));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, content: string | Buffer = path, mode = 0o644): void => {
  mkdirSync(join(from, path, '..'), { recursive: true });
  writeFileSync(join(from, path), content);
  chmodSync(join(from, path), mode);
};
const hashOf = async (root: string): Promise<string> => treeHashOf(root, (await walkTree(root)).entries);
const pack = async (): Promise<{ bytes: Buffer; hash: string }> => {
  const packed = packTree(from, await walkTree(from));
  return { bytes: await buffer(packed.archive), hash: await packed.treeHash };
};
const archiveOf = async (headers: (TarHeader & { body?: string })[]): Promise<Readable> =>
  Readable.from([
    Buffer.from(
      await packTar(
        headers.map(({ body, ...header }) => ({ header: { ...header, size: body?.length ?? 0 }, body: body ?? '' })),
      ),
    ),
  ]);

describe('a tree that is packed and unpacked', () => {
  it('is the same: contents, permissions, links, times in seconds, empty folders and files', async () => {
    put('a-b', 'sorts between the folder and what is in it');
    put('a/script.sh', '#!/bin/sh', 0o751);
    put('a/secret', 'x', 0o400);
    put('empty', '');
    put('large.bin', Buffer.alloc(700_001, 'lärge'));
    put(`deep/${'long-name-'.repeat(12)}/${'ü'.repeat(90)}/end`, 'a path that needs an extended header');
    mkdirSync(join(from, 'hollow'));
    chmodSync(join(from, 'hollow'), 0o550);
    symlinkSync('../../../etc/passwd', join(from, 'a/out'));
    symlinkSync('nowhere '.repeat(20), join(from, 'dangling'));
    utimesSync(join(from, 'empty'), 1_000_000, 1_000_000);

    const { bytes, hash } = await pack();
    await unpackTree(Readable.from([bytes]), to);
    expect(await hashOf(to)).toBe(hash);
    expect(hash).toBe(await hashOf(from));
    expect(lstatSync(join(to, 'a/script.sh')).mode & 0o7777).toBe(0o751);
    expect(lstatSync(join(to, 'hollow')).mode & 0o7777).toBe(0o550);
    expect(lstatSync(join(to, 'empty')).mtimeMs).toBe(1_000_000_000);
    expect(readlinkSync(join(to, 'a/out'))).toBe('../../../etc/passwd');
    expect(readFileSync(join(to, 'large.bin')).equals(readFileSync(join(from, 'large.bin')))).toBe(true);
    execFileSync('diff', ['-r', '--no-dereference', from, to]);
  });

  it('gives the same bytes whatever the order in which it was made', async () => {
    const names = ['b', 'a/z', 'a/y', 'c/d/e', 'a.txt'];
    const archives = [];
    for (const order of [names, [...names].reverse()]) {
      for (const name of order) put(name);
      for (const name of ['', 'a', 'c', 'c/d', ...names]) utimesSync(join(from, name), 5, 5);
      archives.push((await pack()).bytes);
      rmSync(from, { recursive: true });
      mkdirSync(from);
    }
    expect(archives[0]?.equals(archives[1] ?? Buffer.of())).toBe(true);
  });

  it('is understood by tar', async () => {
    put('a/b', 'hello');
    symlinkSync('b', join(from, 'a/link'));
    const listed = execFileSync('tar', ['-tvf', '-'], { input: (await pack()).bytes, encoding: 'utf8' });
    expect(listed).toMatch(/drwx.* a\/\n-rw-r--r-- .* a\/b\nl.* a\/link -> b\n$/);
  });

  it('holds whatever names and contents a command may choose', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter((text) => !/[/\0]|^\.{1,2}$/.test(text) && text !== '.runledger');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 2_000 })), {
          selector: ([key]) => key.normalize(),
          maxLength: 8,
        }),
        async (files) => {
          for (const path of [from, to]) {
            rmSync(path, { recursive: true });
            mkdirSync(path);
          }
          for (const [path, content] of files) writeFileSync(join(from, path), content);
          const { bytes, hash } = await pack();
          await unpackTree(Readable.from([bytes]), to);
          expect(await hashOf(to)).toBe(hash);
          expect((await walkTree(to)).entries).toHaveLength(files.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leaves out, and names, what is neither file, folder nor link, and names that are not UTF-8', async () => {
    put('file');
    execFileSync('mkfifo', [join(from, 'pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(join(from, 'latin')), Buffer.of(0xe9)]), 'x');
    const tree = await walkTree(from);
    expect(tree.skipped).toEqual(['latin\ufffd', 'pipe']);
    expect(tree.entries.map((entry) => entry.path)).toEqual(['file']);
  });

  it("leaves out the runner's own folder at the top, and only there", async () => {
    put('.runledger/output-a-1');
    put('a/.runledger/kept');
    expect((await walkTree(from)).entries.map((entry) => entry.path)).toEqual([
      'a',
      'a/.runledger',
      'a/.runledger/kept',
    ]);
  });

  it('is refused when a file changes between the look and the reading', async () => {
    put('a', 'short');
    put('z'.repeat(10), Buffer.alloc(100_000));
    const tree = await walkTree(from);
    rmSync(join(from, 'a'));
    symlinkSync('/etc/passwd', join(from, 'a'));
    const packed = packTree(from, tree);
    await expect(buffer(packed.archive)).rejects.toThrow('"a" changed');
    await expect(packed.treeHash).rejects.toThrow('"a" changed');
  });
});

describe('the digest of a tree', () => {
  const change: [string, () => void][] = [
    ['a content', () => put('a/b', 'other')],
    ['a mode', () => chmodSync(join(from, 'a/b'), 0o600)],
    ['a name', () => put('a/c')],
    ['a folder', () => mkdirSync(join(from, 'new'))],
    [
      'the target of a link',
      () => {
        rmSync(join(from, 'link'));
        symlinkSync('elsewhere', join(from, 'link'));
      },
    ],
    [
      'a file for a link',
      () => {
        rmSync(join(from, 'link'));
        put('link', 'a/b', 0o777);
      },
    ],
  ];
  it.each(change)('changes with %s', async (_, make) => {
    put('a/b');
    symlinkSync('a/b', join(from, 'link'));
    const before = await hashOf(from);
    make();
    expect(await hashOf(from)).not.toBe(before);
  });

  it('does not change with times', async () => {
    put('a/b');
    const before = await hashOf(from);
    utimesSync(join(from, 'a/b'), 1, 1);
    expect(await hashOf(from)).toBe(before);
  });

  it('is the SHA-256 of nothing for an empty workdir', async () => {
    expect(await hashOf(from)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(EMPTY_TREE_HASH).toBe(await hashOf(from));
  });

  it('is what the documentation says', async () => {
    put('a', 'hello');
    const content = execFileSync('sh', ['-c', 'printf hello | sha256sum | cut -c1-64'], { encoding: 'utf8' }).trim();
    const expected = execFileSync('sha256sum', { input: `f 644 a\0${content}\0`, encoding: 'utf8' }).slice(0, 64);
    expect(await hashOf(from)).toBe(expected);
  });
});

describe('an archive that we did not make', () => {
  const cases: [string, TarHeader[]][] = [
    ['an absolute path', [{ name: '/tmp/runledger-evil', size: 0 }]],
    ['a way up', [{ name: '../evil', size: 0 }]],
    [
      'a way up in the middle',
      [
        { name: 'a/', type: 'directory', size: 0 },
        { name: 'a/../../evil', size: 0 },
      ],
    ],
    [
      'a file behind a link',
      [
        { name: 'a', type: 'symlink', linkname: '/tmp', size: 0 },
        { name: 'a/evil', size: 0 },
      ],
    ],
    [
      'a file over a link',
      [
        { name: 'a', type: 'symlink', linkname: '../evil', size: 0 },
        { name: 'a', size: 0 },
      ],
    ],
    ['a hard link', [{ name: 'a', type: 'link', linkname: '/etc/passwd', size: 0 }]],
    ['a device', [{ name: 'null', type: 'character-device', size: 0 }]],
    ['a pipe', [{ name: 'pipe', type: 'fifo', size: 0 }]],
  ];
  it.each(cases)('is refused for %s', async (_, headers) => {
    await expect(unpackTree(await archiveOf(headers), to)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await walkTree(folder)).entries.map(({ path }) => path).filter((path) => path.includes('evil'))).toEqual(
      [],
    );
  });

  it('is refused when its end is missing', async () => {
    put('a', Buffer.alloc(100_000));
    const { bytes } = await pack();
    await expect(unpackTree(Readable.from([bytes.subarray(0, 60_000)]), to)).rejects.toThrow('it is damaged');
  });

  it('has no rights beyond those of permissions', async () => {
    await unpackTree(await archiveOf([{ name: 'a', mode: 0o6755, size: 0, body: 'x' }]), to);
    expect(lstatSync(join(to, 'a')).mode & 0o7777).toBe(0o755);
  });
});

describe('the fingerprint of a tree', () => {
  const fingerprint = async (): Promise<string> => fingerprintOf(await walkTree(from));

  it('changes with every write, also of the same bytes with the same times', async () => {
    put('a/b', 'same');
    const before = await fingerprint();
    expect(await fingerprint()).toBe(before);
    const { mtime } = lstatSync(join(from, 'a/b'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    put('a/b', 'same');
    utimesSync(join(from, 'a/b'), mtime, mtime);
    expect(await fingerprint()).not.toBe(before);
  });

  it('changes with what is new and what is gone', async () => {
    put('a/b');
    const before = await fingerprint();
    put('a/c');
    expect(await fingerprint()).not.toBe(before);
    rmSync(join(from, 'a/c'));
    expect(await fingerprint()).toBe(before);
    rmSync(join(from, 'a/b'));
    expect(await fingerprint()).not.toBe(before);
  });
});
