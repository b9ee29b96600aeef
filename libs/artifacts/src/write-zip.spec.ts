import { mkdtempSync, openSync, closeSync, rmSync, ftruncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { writeZip, zipSize, type ZipEntry } from './write-zip.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'write-zip-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function entry(path: string, ...chunks: string[]): ZipEntry {
  const buffers = chunks.map((chunk) => Buffer.from(chunk));
  return { path, sizeBytes: Buffer.concat(buffers).length, open: () => toAsync(buffers) };
}

async function* toAsync(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
}

/** What a foreign reader finds, which also compares local and central headers. */
async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const one of zip.eachEntry()) found.push(one);
  return found;
}

async function contentOf(zip: ZipFile, found: Entry): Promise<string> {
  return (await buffer(await zip.openReadStreamPromise(found))).toString();
}

describe('writeZip', () => {
  it('is read by others, with names, bytes, checksums, modes and the one date', async () => {
    const entries = [entry('a.txt', '1234', '56789'), entry('b/ä😀.txt', 'x'), entry('empty')];
    const bytes = await buffer(writeZip(entries));
    expect(bytes).toHaveLength(zipSize(entries));
    const zip = await yauzl.fromBufferPromise(bytes);
    const found = await entriesOf(zip);
    expect(found.map((one) => one.fileName)).toEqual(['a.txt', 'b/ä😀.txt', 'empty']);
    expect(await Promise.all(found.map((one) => contentOf(zip, one)))).toEqual(['123456789', 'x', '']);
    for (const one of found) {
      expect(one).toMatchObject({ compressionMethod: 0, lastModFileDate: 33, lastModFileTime: 0, extraFields: [] });
      expect(one.generalPurposeBitFlag & 0x0800).toBe(0x0800);
      expect(one.externalFileAttributes >>> 16).toBe(0o100644);
    }
    // The check value of the polynomial.
    expect(found[0]?.crc32).toBe(0xcbf43926);
  });

  it('is an archive without entries too', async () => {
    const bytes = await buffer(writeZip([]));
    expect(bytes).toHaveLength(zipSize([]));
    expect((await yauzl.fromBufferPromise(bytes)).entryCount).toBe(0);
  });

  it('counts beyond 65,535 entries', async () => {
    const entries = Array.from({ length: 65_536 }, (_, index) => entry(`many/${index}`, String(index % 10)));
    const bytes = await buffer(writeZip(entries));
    expect(bytes).toHaveLength(zipSize(entries));
    const zip = await yauzl.fromBufferPromise(bytes);
    expect(zip.entryCount).toBe(65_536);
    const found = await entriesOf(zip);
    expect([found.length, found.at(-1)?.fileName]).toEqual([65_536, 'many/65535']);
  }, 60_000);

  it('goes beyond 4 GiB, in one file and in the sum', async () => {
    const zeros = Buffer.alloc(8 * 1024 * 1024);
    const large = 2 ** 32 + 5;
    const pieces = Array.from({ length: Math.ceil(large / zeros.length) }, (_, index) =>
      zeros.subarray(0, Math.min(zeros.length, large - index * zeros.length)),
    );
    const entries = [
      { path: 'large', sizeBytes: large, open: () => toAsync(pieces) },
      entry('behind', 'a file whose header is beyond 4 GiB'),
    ];
    // A file with a hole where the zeros are.
    const path = join(folder, 'large.zip');
    const file = openSync(path, 'w');
    let length = 0;
    for await (const chunk of writeZip(entries)) {
      if (chunk.buffer !== zeros.buffer) writeSync(file, chunk, 0, chunk.length, length);
      length += chunk.length;
    }
    ftruncateSync(file, length);
    closeSync(file);
    expect(length).toBe(zipSize(entries));
    const zip = await yauzl.openPromise(path, { autoClose: false });
    const found = await entriesOf(zip);
    expect(found.map((one) => [one.fileName, one.uncompressedSize])).toEqual([
      ['large', large],
      ['behind', 35],
    ]);
    const [, behind] = found;
    if (behind === undefined) throw new Error('no second entry');
    expect(behind.relativeOffsetOfLocalHeader).toBeGreaterThan(2 ** 32);
    expect(await contentOf(zip, behind)).toBe('a file whose header is beyond 4 GiB');
    zip.close();
  }, 60_000);

  it('reads no further than it is asked to, and ends its source when nobody asks any more', async () => {
    let given = 0;
    let ended = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (; ; given += 1) yield Buffer.alloc(1024);
      } finally {
        ended = true;
      }
    }
    const zip = writeZip([{ path: 'endless', sizeBytes: 2 ** 40, open: endless }]);
    for (let count = 0; count < 10; count += 1) await zip.next();
    expect([given, ended]).toEqual([8, false]);
    await zip.return();
    expect(ended).toBe(true);
  });

  it.each(['', '/etc/passwd', 'a//b', 'a/', '../up', 'a/../../b', './a', 'x'.repeat(65_536)])(
    'refuses the path %j',
    async (path) => {
      await expect(buffer(writeZip([entry(path, 'x')]))).rejects.toThrow('path of an entry');
    },
  );

  it.each([2, 4])('refuses content that is not as long as was said: %i bytes', async (sizeBytes) => {
    await expect(buffer(writeZip([{ ...entry('a', '123'), sizeBytes }]))).rejects.toThrow('was to have');
  });
});
