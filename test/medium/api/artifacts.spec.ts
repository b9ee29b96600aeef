import { createHash } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import yauzl from 'yauzl';
import { mediaTypeOf } from '#artifacts';
import { newId } from '#kernel';
import { insertArtifacts } from '../../../libs/runner/src/store/artifact.rows.js';
import { startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

type Job = Awaited<ReturnType<typeof submit>>;
interface Given {
  logicalKey: string;
  content?: string | Buffer;
  kind?: string;
  projectId?: string | null;
}

describe('the artifacts of a workspace', () => {
  let api: ApiSystem;
  beforeAll(async () => void (api = await startApi()));
  afterAll(() => api.close());

  /** Stores it as a worker does. @returns its id */
  async function add(tenant: Tenant, job: Job, given: Given): Promise<string> {
    const { logicalKey, content = logicalKey, kind = 'file', projectId = null } = given;
    const id = newId();
    const blob = await api.blobs.put(`${tenant.workspaceId}/artifacts/${id}`, Readable.from([Buffer.from(content)]));
    const place = { workspaceId: tenant.workspaceId, projectId, jobId: job.id, stepId: job.steps[0]?.id ?? '' };
    const { sizeBytes, sha256, key: blobKey } = blob;
    // Two versions within one step need paths of their own.
    const path = `${id}/${logicalKey}`;
    const file = { id, kind, logicalKey, path, mediaType: mediaTypeOf(path), sizeBytes, sha256, blobKey };
    await api.rows.transaction((client) => insertArtifacts(client, place, [file]));
    return id;
  }

  const pathOf = (tenant: Tenant, rest = ''): string => `/v1/workspaces/${tenant.workspaceId}/artifacts${rest}`;
  const get = (tenant: Tenant, rest = '') => api.http().get(pathOf(tenant, rest)).auth(tenant.key, { type: 'bearer' });
  const download = async (tenant: Tenant, path: string) => {
    const answer = await api.http().get(path).auth(tenant.key, { type: 'bearer' }).buffer(true).responseType('blob');
    expect(answer.status).toBe(200);
    return { bytes: answer.body as Buffer, headers: answer.headers as Record<string, string> };
  };
  const exportOf = (tenant: Tenant, query = '') => download(tenant, pathOf(tenant, `/export.zip${query}`));

  async function unzip(bytes: Buffer): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const zip = await yauzl.fromBufferPromise(bytes);
    for await (const entry of zip.eachEntry())
      found[entry.fileName] = (await buffer(await zip.openReadStreamPromise(entry))).toString();
    return found;
  }

  describe('lists', () => {
    const project = newId();
    let tenant: Tenant;
    let ids: Record<string, string>;
    beforeAll(async () => {
      tenant = await api.tenant();
      const [one, other] = [await submit(api, tenant), await submit(api, tenant)];
      ids = {
        a1: await add(tenant, one, { logicalKey: 'a' }),
        b1: await add(tenant, one, { logicalKey: 'b', kind: 'report' }),
        a2: await add(tenant, other, { logicalKey: 'a' }),
        p1: await add(tenant, other, { logicalKey: 'a', projectId: project }),
        p2: await add(tenant, one, { logicalKey: 'a', projectId: project }),
      };
    });

    const names = (items: { id: string }[]): (string | undefined)[] =>
      items.map((item) => Object.keys(ids).find((name) => ids[name] === item.id));

    it.each([
      ['', ['p2', 'p1', 'a2', 'b1', 'a1']],
      ['?latest=true', ['p2', 'a2', 'b1']],
      ['?latest=false&kind=report', ['b1']],
      ['?logicalKey=a', ['p2', 'p1', 'a2', 'a1']],
      ['?logicalKey=a&latest=true', ['p2', 'a2']],
      ['?projectId=none', ['a2', 'b1', 'a1']],
      ['?projectId=none&latest=true&kind=file', ['a2']],
      [`?projectId=${project}`, ['p2', 'p1']],
      [`?projectId=${project}&kind=report`, []],
      [`?projectId=${newId()}`, []],
    ])('answer %j newest first', async (query, expected) => {
      const whole = await get(tenant, query).expect(200);
      expect([names(whole.body.items), whole.body.nextCursor]).toEqual([expected, null]);
      // The same in pages of one.
      const paged: { id: string }[] = [];
      for (let cursor = ''; ;) {
        const { body } = await get(tenant, `${query === '' ? '?' : `${query}&`}limit=1${cursor}`).expect(200);
        paged.push(...body.items);
        if (body.nextCursor === null) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      expect(names(paged)).toEqual(expected);
    });

    it('show where each comes from, and nothing of the inside', async () => {
      const { body } = await get(tenant, '?latest=true').expect(200);
      expect(body.items[0]).toMatchObject({ projectId: project, version: 2, kind: 'file', logicalKey: 'a' });
      expect(Object.keys(body.items[0])).not.toContain('blobKey');
      expect((await get(tenant, `/${ids['p2']}`).expect(200)).body).toEqual(body.items[0]);
    });

    it('of versions begin with the latest', async () => {
      const own = await get(tenant, '/versions?kind=file&logicalKey=a').expect(200);
      expect(names(own.body.items)).toEqual(['a2', 'a1']);
      expect(own.body.items.map((item: { version: number }) => item.version)).toEqual([2, 1]);
      const query = `/versions?kind=file&logicalKey=a&projectId=${project}&limit=1`;
      const first = await get(tenant, query).expect(200);
      const second = await get(tenant, `${query}&cursor=${first.body.nextCursor}`).expect(200);
      expect([names(first.body.items), names(second.body.items), second.body.nextCursor]).toEqual([
        ['p2'],
        ['p1'],
        null,
      ]);
      const none = await get(tenant, '/versions?kind=file&logicalKey=b');
      expect([none.status, none.body.code]).toEqual([404, 'NOT_FOUND']);
    });

    it.each([
      ['?projectId=x', 'projectId:id'],
      ['?projectId=', 'projectId:id'],
      ['?kind=Report', 'kind:pattern'],
      ['?logicalKey=', 'logicalKey:length'],
      [`?logicalKey=${'x'.repeat(1_301)}`, 'logicalKey:length'],
      ['?logicalKey=%00', 'logicalKey:length'],
      ['?latest=yes', 'latest:enum'],
      ['?latest=true&latest=true', 'latest:single'],
      ['?limit=201&cursor=!', 'limit:range cursor:cursor'],
      ['?order=asc', 'order:unknown'],
      ['/versions', 'kind:required logicalKey:required'],
      ['/versions?kind=file&logicalKey=a&latest=true', 'latest:unknown'],
      ['/export.zip?logicalKey=a', 'logicalKey:unknown'],
      ['/export.zip?projectId=mine&kind=*', 'projectId:id kind:pattern'],
    ])('refuse %j', async (query, broken) => {
      const { status, headers, body } = await get(tenant, query);
      expect([status, headers['content-type'], body.code]).toEqual([
        422,
        'application/problem+json; charset=utf-8',
        'VALIDATION_FAILED',
      ]);
      expect(
        body.errors.map((error: { field: string; rule: string }) => `${error.field}:${error.rule}`).join(' '),
      ).toBe(broken);
    });

    it("are one's own, and of others nothing is there, byte for byte", async () => {
      const stranger = await api.tenant();
      expect((await get(stranger)).body).toEqual({ items: [], nextCursor: null });
      const rests = [`/${ids['a1']}`, `/${ids['a1']}/content`, '/versions?kind=file&logicalKey=a', `/${newId()}`, '/x'];
      const answers = await Promise.all(rests.map((rest) => get(stranger, rest)));
      const intruding = ['', '/versions?kind=file&logicalKey=a', '/export.zip', `/${ids['a1']}/content`].map((rest) =>
        api.http().get(pathOf(tenant, rest)).auth(stranger.key, { type: 'bearer' }),
      );
      answers.push(...(await Promise.all(intruding)));
      expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 404));
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
      expect(Object.keys(await unzip((await exportOf(stranger)).bytes))).toEqual(['manifest.json']);
    });

    it('need a key that may read', async () => {
      const writer = await api.keyWith(tenant, ['jobs:write']);
      for (const rest of ['', `/${ids['a1']}/content`, '/export.zip'])
        expect((await api.http().get(pathOf(tenant, rest)).auth(writer, { type: 'bearer' })).status).toBe(403);
    });
  });

  describe('downloads', () => {
    it('have the bytes, ranges of them, and a digest for those who have them', async () => {
      const tenant = await api.tenant();
      const id = await add(tenant, await submit(api, tenant), { logicalKey: 'ü.html', content: '<b>ü</b>' });
      const etag = `"${createHash('sha256').update('<b>ü</b>').digest('hex')}"`;
      const { bytes, headers } = await download(tenant, pathOf(tenant, `/${id}/content`));
      expect(bytes.toString()).toBe('<b>ü</b>');
      expect(headers).toMatchObject({
        etag,
        'content-type': 'text/html; charset=utf-8',
        'content-length': '9',
        'content-disposition': `attachment; filename="_.html"; filename*=UTF-8''%C3%BC.html`,
        'content-security-policy': "sandbox; default-src 'none'",
        'x-content-type-options': 'nosniff',
      });
      expect((await get(tenant, `/${id}/content`).set('if-none-match', etag)).status).toBe(304);
      const part = await get(tenant, `/${id}/content`).set('range', 'bytes=0-2');
      expect([part.status, part.text, part.headers['content-range']]).toEqual([206, '<b>', 'bytes 0-2/9']);
    });

    it('break off where the bytes are not those that the ledger names', async () => {
      const tenant = await api.tenant();
      const job = await submit(api, tenant);
      const id = await add(tenant, job, { logicalKey: 'a', content: 'right' });
      const blob = join(api.dataDir, 'blobs', tenant.workspaceId, 'artifacts', id);
      await writeFile(blob, 'wrong');
      for (const path of [pathOf(tenant, `/${id}/content`), `${tenant.jobs}/${job.id}/artifacts/${id}/content`]) {
        // Nothing of so small a file is out before it is checked, so there is an answer.
        const { text } = await received(tenant, path);
        expect(JSON.parse(text)).toMatchObject({ status: 500, code: 'INTERNAL' });
      }
      // Also where it has become longer than its row says.
      await appendFile(blob, '!');
      expect((await received(tenant, pathOf(tenant, `/${id}/content`))).text).toContain('INTERNAL');

      const large = Buffer.alloc(1_000_000, 'a');
      const other = await add(tenant, job, { logicalKey: 'large', content: large });
      await writeFile(join(api.dataDir, 'blobs', tenant.workspaceId, 'artifacts', other), large.fill('b', 0, 1));
      const { complete, text } = await received(tenant, pathOf(tenant, `/${other}/content`));
      expect([complete, text.length < large.length]).toEqual([false, true]);
    });
  });

  /** What a client gets that takes whatever comes. */
  function received(tenant: Tenant, path: string): Promise<{ complete: boolean; text: string }> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest(api.url + path, { headers: { authorization: `Bearer ${tenant.key}` } }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => undefined);
        answer.on('close', () =>
          resolve({ complete: answer.complete, text: Buffer.concat(chunks).toString('latin1') }),
        );
      });
      asked.on('error', (error: NodeJS.ErrnoException) =>
        error.code === 'ECONNRESET' ? resolve({ complete: false, text: '' }) : reject(error),
      );
      asked.end();
    });
  }

  describe('archives', () => {
    it('have the latest version of each key, as the filters say', async () => {
      const project = newId();
      const tenant = await api.tenant();
      const [one, other] = [await submit(api, tenant), await submit(api, tenant)];
      await add(tenant, one, { logicalKey: 'a.txt', content: 'old' });
      await add(tenant, other, { logicalKey: 'a.txt', content: 'new' });
      await add(tenant, one, { logicalKey: '../../evil', content: 'e', kind: 'report' });
      await add(tenant, one, { logicalKey: 'a.txt', content: 'of the project', projectId: project });
      const { bytes, headers } = await exportOf(tenant);
      const { 'manifest.json': manifest, ...files } = await unzip(bytes);
      expect(files).toEqual({ 'file/a.txt': 'new', 'file/a~2.txt': 'of the project', 'report/__/__/evil': 'e' });
      const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
      expect(JSON.parse(manifest ?? '')).toEqual({
        v: 1,
        entries: Object.entries(files).map(([path, text]) => ({ path, sha256: digest(text), bytes: text.length })),
      });
      expect(headers).toMatchObject({
        'content-type': 'application/zip',
        'content-length': String(bytes.length),
        etag: `"${digest(manifest ?? '')}"`,
        'content-disposition': `attachment; filename="artifacts.zip"; filename*=UTF-8''artifacts.zip`,
      });

      const paths = async (query: string): Promise<string[]> =>
        Object.keys(await unzip((await exportOf(tenant, query)).bytes));
      expect(await paths('?kind=report')).toEqual(['manifest.json', 'report/__/__/evil']);
      expect(await paths('?projectId=none&kind=file')).toEqual(['file/a.txt', 'manifest.json']);
      const own = await unzip((await exportOf(tenant, `?projectId=${project}`)).bytes);
      expect([Object.keys(own), own['file/a.txt']]).toEqual([['file/a.txt', 'manifest.json'], 'of the project']);

      const ofJob = await unzip((await download(tenant, `${tenant.jobs}/${other.id}/artifacts/export.zip`)).bytes);
      expect([Object.keys(ofJob), ofJob['file/a.txt']]).toEqual([['file/a.txt', 'manifest.json'], 'new']);
    });

    it('have the same bytes for the same contents, whoever stored them in which order and when', async () => {
      const contents: [string, string][] = [
        ['z', 'last'],
        ['b/c', 'between'],
        ['a', 'first'],
      ];
      const [one, other] = [await api.tenant(), await api.tenant()];
      for (const [logicalKey, content] of contents) await add(one, await submit(api, one), { logicalKey, content });
      const job = await submit(api, other);
      await add(other, job, { logicalKey: 'a', content: 'replaced later' });
      for (const [logicalKey, content] of contents.reverse()) await add(other, job, { logicalKey, content });
      const first = await exportOf(one);
      const second = await exportOf(other);
      expect(second.bytes).toEqual(first.bytes);
      expect((await exportOf(one)).bytes).toEqual(first.bytes);
      expect((await download(other, `${other.jobs}/${job.id}/artifacts/export.zip`)).bytes).toEqual(first.bytes);

      const etag = first.headers['etag'] ?? '';
      expect((await get(other, '/export.zip').set('if-none-match', etag)).status).toBe(304);
      const head = await api.http().head(pathOf(one, '/export.zip')).auth(one.key, { type: 'bearer' });
      expect([head.status, head.headers['content-length'], head.headers['etag']]).toEqual([
        200,
        String(first.bytes.length),
        etag,
      ]);
      await add(other, job, { logicalKey: 'a', content: 'First' });
      const changed = await get(other, '/export.zip').set('if-none-match', etag).buffer(true).responseType('blob');
      expect(changed.status).toBe(200);
    });

    it('break off where a file is not what the ledger says, or is gone', async () => {
      const tenant = await api.tenant();
      const job = await submit(api, tenant);
      await add(tenant, job, { logicalKey: 'a', content: 'a good file' });
      const bad = await add(tenant, job, { logicalKey: 'b', content: 'right' });
      const blobKey = `${tenant.workspaceId}/artifacts/${bad}`;
      await writeFile(join(api.dataDir, 'blobs', blobKey), 'wrong');
      for (const path of [pathOf(tenant, '/export.zip'), `${tenant.jobs}/${job.id}/artifacts/export.zip`]) {
        const { complete, text } = await received(tenant, path);
        expect([complete, text.includes('wrong')]).toEqual([false, false]);
      }
      await api.blobs.delete(blobKey);
      expect((await received(tenant, pathOf(tenant, '/export.zip'))).complete).toBe(false);
    });

    it('of a job that is not there, or is empty', async () => {
      const tenant = await api.tenant();
      const job = await submit(api, tenant);
      const empty = await unzip((await download(tenant, `${tenant.jobs}/${job.id}/artifacts/export.zip`)).bytes);
      expect(empty).toEqual({ 'manifest.json': '{"entries":[],"v":1}' });
      const none = await api
        .http()
        .get(`${tenant.jobs}/${newId()}/artifacts/export.zip`)
        .auth(tenant.key, { type: 'bearer' });
      expect([none.status, none.headers['content-disposition'], none.body.code]).toEqual([404, undefined, 'NOT_FOUND']);
    });
  });
});
