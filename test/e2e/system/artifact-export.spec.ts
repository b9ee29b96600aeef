import { jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { Database } from '#database';
import { newId } from '#kernel';
import type { TestDatabase } from '#testing';
import { insertArtifacts } from '../../../libs/runner/src/store/artifact.rows.js';
import { read } from '../processes.js';
import { ended, openSystem, until, type SystemUnderTest } from './system-fixture.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const FILE_BYTES = 128 * MIB;
const FILES = 4;

/** What the API process says of itself to Linux; elsewhere there is nothing to look at. */
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('an archive of 512 MiB', () => {
  let system: SystemUnderTest;
  let api: number;
  beforeAll(async () => {
    const databases: TestDatabase[] = [];
    system = await openSystem({}, async (database) => {
      databases.push(database);
      return database.ownerUrl;
    });
    const { id } = await system.client.submit({ name: 'any', steps: [{ key: 'a', type: 'GATE', condition: 'true' }] });
    const job = await ended(system.client, id);
    const place = { workspaceId: system.workspaceId, projectId: null, jobId: id, stepId: job.steps[0]?.id ?? '' };
    const blob = await holeOf(join(system.dataDir, 'blobs'), `${system.workspaceId}/artifacts/hole`);
    const files = Array.from({ length: FILES }, (_, index) => {
      const name = `large-${index}.bin`;
      return {
        id: newId(),
        kind: 'file',
        logicalKey: name,
        path: name,
        mediaType: 'application/octet-stream',
        ...blob,
      };
    });
    const database = new Database({ url: databases[0]?.workerUrl ?? '', role: 'worker', poolSize: 1 });
    await database.transaction((client) => insertArtifacts(client, place, files));
    await database.close();
    api = system.pidOf('api');
  });
  afterAll(() => system.close());

  /** A file with nothing on the disk behind it. */
  async function holeOf(folder: string, blobKey: string) {
    const path = join(folder, blobKey);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'w');
    await file.truncate(FILE_BYTES);
    await file.close();
    const hash = createHash('sha256');
    for (let bytes = 0; bytes < FILE_BYTES; bytes += MIB) hash.update(Buffer.alloc(MIB));
    return { blobKey, sizeBytes: FILE_BYTES, sha256: hash.digest('hex') };
  }

  function begin(): Promise<IncomingMessage> {
    const url = `${system.url}/v1/workspaces/${system.workspaceId}/artifacts/export.zip`;
    return new Promise((resolve, reject) => {
      get(url, { agent: false, headers: { authorization: `Bearer ${system.apiKey}` } }, resolve).on('error', reject);
    });
  }

  async function takeAll(answer: IncomingMessage): Promise<number> {
    let bytes = 0;
    for await (const chunk of answer) bytes += (chunk as Buffer).length;
    return bytes;
  }

  /** How far the API has read in the blobs that it has open now. */
  function positions(): number[] {
    return readdirSync(`/proc/${api}/fd`).flatMap((fd) => {
      try {
        if (!readlinkSync(`/proc/${api}/fd/${fd}`).endsWith('/artifacts/hole')) return [];
      } catch {
        return [];
      }
      return [Number(/pos:\s+(\d+)/.exec(read(`/proc/${api}/fdinfo/${fd}`))?.[1] ?? 0)];
    });
  }

  it('goes through the API in little memory', async () => {
    // Begins the measure of the highest mark anew.
    writeFileSync(`/proc/${api}/clear_refs`, '5');
    const memory = (name: string): number =>
      Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(read(`/proc/${api}/status`))?.[1] ?? NaN) / 1024;
    const before = memory('VmRSS');
    const answer = await begin();
    expect(await takeAll(answer)).toBe(Number(answer.headers['content-length']));
    expect(Number(answer.headers['content-length'])).toBeGreaterThan(FILES * FILE_BYTES);
    expect(memory('VmHWM') - before).toBeLessThan(96);
    expect(positions()).toEqual([]);
  });

  it('waits for a client that takes nothing, and goes on when it does', async () => {
    const answer = await begin();
    answer.pause();
    let last = -1;
    let same = 0;
    const stoodAt = await until('a reader that stands still', () => {
      const [position = 0] = positions();
      same = position > 0 && position === last ? same + 1 : 0;
      last = position;
      return same === 5 ? position : null;
    });
    // What sockets and streams take in between, and no more.
    expect(stoodAt).toBeLessThan(32 * MIB);
    expect(await takeAll(answer)).toBe(Number(answer.headers['content-length']));
  });

  it('is read no further when the client goes away', async () => {
    const answer = await begin();
    answer.on('error', () => undefined);
    answer.pause();
    await until('an open blob', () => (positions().length > 0 ? true : null));
    answer.destroy();
    await until('a closed blob', () => (positions().length === 0 ? true : null), 5_000);
    expect((await system.client.me()).workspaceId).toBe(system.workspaceId);
  });
});
