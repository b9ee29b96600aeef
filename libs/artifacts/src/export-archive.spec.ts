import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, json } from 'node:stream/consumers';
import yauzl from 'yauzl';
import { ExportArchive, type ExportFile } from './export-archive.js';
import { LocalBlobStore } from './local-blob-store.js';

let folder: string;
let blobs: LocalBlobStore;
let stored: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-'));
  blobs = new LocalBlobStore(folder);
  stored = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

async function file(kind: string, logicalKey: string, content: string | Buffer, projectId: string | null = null) {
  const { key: blobKey, sizeBytes, sha256 } = await blobs.put(`w/${(stored += 1)}`, Readable.from([content]));
  return { projectId, kind, logicalKey, sizeBytes, sha256, blobKey } satisfies ExportFile;
}

async function pathsOf(bytes: Buffer): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of (await yauzl.fromBufferPromise(bytes)).eachEntry()) found.push(entry.fileName);
  return found;
}

describe('ExportArchive', () => {
  it('has every file under its kind and key, sorted, with a manifest in its place', async () => {
    const files = [
      await file('report', 'weekly', 'r'),
      await file('file', 'z', 'z'),
      await file('file', '\u{1f600}', 'beyond the basic plane'),
      await file('file', '\uffee', 'basic plane'),
      await file('file', 'a/b', 'ab'),
    ];
    const archive = new ExportArchive(files);
    const bytes = await buffer(archive.read(blobs));
    expect(bytes).toHaveLength(archive.sizeBytes);
    const paths = ['file/a/b', 'file/z', 'file/\uffee', 'file/\u{1f600}', 'manifest.json', 'report/weekly'];
    expect(await pathsOf(bytes)).toEqual(paths);

    const zip = await yauzl.fromBufferPromise(bytes, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName !== 'manifest.json') continue;
      const text = await buffer(await zip.openReadStreamPromise(entry));
      expect(createHash('sha256').update(text).digest('hex')).toBe(archive.sha256);
      expect(await json(Readable.from([text]))).toEqual({
        v: 1,
        entries: [
          { path: 'file/a/b', sha256: files[4]?.sha256, bytes: 2 },
          { path: 'file/z', sha256: files[1]?.sha256, bytes: 1 },
          { path: 'file/\uffee', sha256: files[3]?.sha256, bytes: 11 },
          { path: 'file/\u{1f600}', sha256: files[2]?.sha256, bytes: 22 },
          { path: 'report/weekly', sha256: files[0]?.sha256, bytes: 1 },
        ],
      });
    }
  });

  it('gives the same bytes for the same contents, stored by others in another order', async () => {
    const contents = { one: 'first', two: 'second', 'three/four': 'third' };
    const forth = [];
    for (const [key, content] of Object.entries(contents)) forth.push(await file('file', key, content));
    const back = [];
    for (const [key, content] of Object.entries(contents).reverse()) back.push(await file('file', key, content));
    const [one, other] = [new ExportArchive(forth), new ExportArchive(back)];
    expect(other.sha256).toBe(one.sha256);
    const bytes = await buffer(one.read(blobs));
    expect(await buffer(other.read(blobs))).toEqual(bytes);
    // Twice from the same archive too, and what this version of the format has always given.
    expect(await buffer(one.read(blobs))).toEqual(bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '8615b4b0a8e9d3916aa00a7080658d90443d37bf1a0b496c84f9393be80f99c7',
    );
    const changed = new ExportArchive([...forth.slice(1), await file('file', 'one', 'First')]);
    expect(changed.sha256).not.toBe(one.sha256);
  });

  it('keeps the plain path for what has no project', async () => {
    const files = [
      await file('file', 'a.txt', 'B', 'b'),
      await file('file', 'a.txt', 'none'),
      await file('file', 'a.txt', 'A', 'a'),
    ];
    const expected = await buffer(new ExportArchive(files).read(blobs));
    expect(await pathsOf(expected)).toEqual(['file/a.txt', 'file/a~2.txt', 'file/a~3.txt', 'manifest.json']);
    expect(await buffer(new ExportArchive(files.reverse()).read(blobs))).toEqual(expected);
  });

  it.each([
    ['has other bytes', 'abX'],
    ['is shorter', 'ab'],
    ['is longer', 'abcd'],
  ])('breaks off, and hands nothing of it out, when a small blob %s', async (_, content) => {
    const good = await file('file', 'a', 'good');
    const bad = await file('file', 'b', 'abc');
    writeFileSync(join(folder, bad.blobKey), content);
    const given: Buffer[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of new ExportArchive([good, bad]).read(blobs)) given.push(chunk as Buffer);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining(`blob ${bad.blobKey} is not what the ledger says`),
    });
    expect(Buffer.concat(given).includes('good')).toBe(true);
    expect(Buffer.concat(given).includes('ab')).toBe(false);
  });

  it('breaks off when a blob is gone', async () => {
    const files = [await file('file', 'a', 'good'), await file('file', 'b', 'abc')];
    await blobs.delete(files[1]?.blobKey ?? '');
    await expect(buffer(new ExportArchive(files).read(blobs))).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('"file/b" is gone'),
    });
  });

  it('opens one blob at a time, and closes it when the reader goes away', async () => {
    const files = [];
    for (const key of ['a', 'b', 'c']) files.push(await file('file', key, Buffer.alloc(1_000_000, key)));
    const open = (): string[] =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          const path = readlinkSync(`/proc/self/fd/${fd}`);
          return path.startsWith(folder) ? [path] : [];
        } catch {
          return [];
        }
      });
    const stream = new ExportArchive(files).read(blobs);
    const chunks = stream[Symbol.asyncIterator]();
    let most = 0;
    for (let count = 0; count < 25; count += 1) {
      await chunks.next();
      most = Math.max(most, open().length);
    }
    if (process.platform === 'linux') expect([most, open().length]).toEqual([1, 1]);
    stream.destroy();
    for (const deadline = Date.now() + 5_000; open().length > 0 && Date.now() < deadline;)
      await new Promise((resolve) => setImmediate(resolve));
    expect(open()).toEqual([]);
  });
});
