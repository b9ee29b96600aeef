import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LocalBlobStore } from './local-blob-store.js';

let folder: string;
let store: LocalBlobStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'blobs-'));
  store = new LocalBlobStore(join(folder, 'blobs'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unfinished = (): string[] => readdirSync(join(folder, 'blobs/.unfinished'));

describe('LocalBlobStore', () => {
  it('stores a stream and gives it back, with size and digest', async () => {
    const info = await store.put('ws/artifacts/one', Readable.from([Buffer.from('grüß '), Buffer.from('dich')]));
    const sha256 = createHash('sha256').update('grüß dich').digest('hex');
    expect(info).toEqual({ key: 'ws/artifacts/one', sizeBytes: 11, sha256 });
    await expect(text(await store.get('ws/artifacts/one'))).resolves.toBe('grüß dich');
    await expect(store.size('ws/artifacts/one')).resolves.toBe(11);
    expect(unfinished()).toEqual([]);
  });

  it('reads a range, both ends included', async () => {
    await store.put('k', Readable.from([Buffer.from('0123456789')]));
    await expect(text(await store.get('k', { start: 2, end: 4 }))).resolves.toBe('234');
    await expect(text(await store.get('k', { start: 9, end: 9 }))).resolves.toBe('9');
  });

  it('stores nothing at all', async () => {
    await expect(store.put('empty', Readable.from([]))).resolves.toMatchObject({ sizeBytes: 0 });
    await expect(text(await store.get('empty'))).resolves.toBe('');
  });

  it('shows nothing before all bytes are there, and nothing of a stream that breaks', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('first');
        expect(unfinished()).toHaveLength(1);
        await expect(store.size('half')).resolves.toBeNull();
        throw new Error('the source broke');
      })(),
    );
    await expect(store.put('half', broken)).rejects.toThrow('the source broke');
    await expect(store.size('half')).resolves.toBeNull();
    expect(unfinished()).toEqual([]);
  });

  it('says that a blob is missing', async () => {
    await expect(store.get('ws/none')).rejects.toMatchObject({ code: 'NOT_FOUND', details: { key: 'ws/none' } });
    await expect(store.size('ws/none')).resolves.toBeNull();
  });

  it('deletes, and a missing blob is no error', async () => {
    await store.put('k', Readable.from(['x']));
    await store.delete('k');
    await store.delete('k');
    await expect(store.size('k')).resolves.toBeNull();
  });

  it.each([
    '../up',
    'a/../../up',
    '/abs',
    'a//b',
    '',
    '.',
    'a/.',
    '.unfinished/x',
    'a\\b',
    'a\0b',
    'a/',
    'ä',
    'x'.repeat(201),
  ])('refuses the key %j', async (key) => {
    writeFileSync(join(folder, 'up'), 'not yours');
    await expect(store.put(key, Readable.from(['x']))).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(store.get(key)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(store.size(key)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(existsSync(join(folder, 'up'))).toBe(true);
  });

  it('says that the folder cannot be used', async () => {
    writeFileSync(join(folder, 'blobs'), 'a file where the folder should be');
    await expect(store.put('k', Readable.from(['x']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      retryable: true,
    });
  });

  it('stores 200 MB in constant memory', async () => {
    const chunk = Buffer.alloc(1 << 20, 'z');
    const before = process.memoryUsage.rss();
    let peak = 0;
    const source = Readable.from(
      (function* () {
        for (let turn = 0; turn < 200; turn += 1) {
          peak = Math.max(peak, process.memoryUsage.rss());
          yield chunk;
        }
      })(),
    );
    await expect(store.put('large', source)).resolves.toMatchObject({ sizeBytes: 200 << 20 });
    expect(peak - before).toBeLessThan(100 << 20);
  });
});
