import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { newId } from '#kernel';
import { finished, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

const BYTES = Buffer.from('<script>alert("ä")</script>');
const SHA256 = createHash('sha256').update(BYTES).digest('hex');

describe('what jobs leave behind', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let job: { id: string; steps: { id: string; key: string }[] };
  beforeAll(async () => {
    api = await startApi();
    await api.startWorker();
    tenant = await api.tenant();
    job = await submit(api, tenant);
    await finished(api, tenant, job.id);
  });
  afterAll(() => api.close());

  const get = (path: string) => api.http().get(`${tenant.jobs}/${job.id}${path}`).auth(tenant.key, { type: 'bearer' });
  const stepId = (key: string): string => job.steps.find((step) => step.key === key)?.id ?? '';

  describe('transcripts', () => {
    const TEXT = 'héllo\nwörld\n';

    it('are plain text with a digest', async () => {
      const answer = await get(`/steps/${stepId('count')}/transcript`);
      expect([answer.status, answer.text]).toEqual([200, TEXT]);
      expect(answer.headers).toMatchObject({
        'content-type': 'text/plain; charset=utf-8',
        'accept-ranges': 'bytes',
        'content-length': String(Buffer.byteLength(TEXT)),
        etag: `"${createHash('sha256').update(TEXT).digest('hex')}"`,
      });
      expect((await get(`/steps/${stepId('count')}/transcript?attempt=1`)).text).toBe(TEXT);
    });

    it('come in ranges of bytes', async () => {
      const part = await get(`/steps/${stepId('count')}/transcript`).set('range', 'bytes=1-2');
      expect([part.status, part.text, part.headers['content-range'], part.headers['content-length']]).toEqual([
        206,
        'é',
        'bytes 1-2/14',
        '2',
      ]);
      const outside = await get(`/steps/${stepId('count')}/transcript`).set('range', 'bytes=14-');
      expect([outside.status, outside.body.code, outside.headers['content-range']]).toEqual([
        416,
        'RANGE_NOT_SATISFIABLE',
        'bytes */14',
      ]);
    });

    it('are not there for other attempts, other steps and other jobs', async () => {
      const other = await submit(api, tenant);
      for (const path of [
        `/steps/${stepId('count')}/transcript?attempt=2`,
        `/steps/${stepId('enough')}/transcript`,
        `/steps/${other.steps[0]?.id}/transcript`,
      ]) {
        expect((await get(path)).body.code).toBe('NOT_FOUND');
      }
    });
  });

  describe('artifacts', () => {
    const add = async (path: string, createdJob = job): Promise<string> => {
      const id = newId();
      const blobKey = `${tenant.workspaceId}/artifacts/${id}`;
      await api.blobs.put(blobKey, Readable.from([BYTES]));
      await api.asOwner(
        `INSERT INTO artifacts (id, workspace_id, job_id, step_id, kind, logical_key, version, path, media_type, size_bytes, sha256, blob_key)
         VALUES ($1, $2, $3, $4, 'file', $5, 1, $5, 'text/html', $6, $7, $8)`,
        [id, tenant.workspaceId, createdJob.id, createdJob.steps[0]?.id, path, BYTES.length, SHA256, blobKey],
      );
      return id;
    };

    it('are listed newest first, in pages', async () => {
      const ids = [];
      for (const name of ['a', 'b', 'c']) ids.unshift(await add(`listed/${name}.html`));
      const first = await get('/artifacts?limit=2');
      expect(first.body.items.map((item: { id: string }) => item.id)).toEqual(ids.slice(0, 2));
      expect(first.body.items[0]).toMatchObject({
        path: 'listed/c.html',
        sizeBytes: BYTES.length,
        sha256: SHA256,
        mediaType: 'text/html',
        version: 1,
      });
      const second = await get(`/artifacts?limit=2&cursor=${first.body.nextCursor}`);
      expect(second.body).toEqual({ items: [expect.objectContaining({ id: ids[2] })], nextCursor: null });
      expect(Object.keys(first.body.items[0])).not.toContain('blobKey');
    });

    it('are downloaded as attachments that no browser will run', async () => {
      const id = await add('pages/ä "quoted".html');
      const answer = await get(`/artifacts/${id}/content`).responseType('blob');
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(BYTES);
      expect(answer.headers).toMatchObject({
        'content-type': 'text/html',
        'content-length': String(BYTES.length),
        etag: `"${SHA256}"`,
        'content-disposition': `attachment; filename="_ _quoted_.html"; filename*=UTF-8''%C3%A4%20%22quoted%22.html`,
        'x-content-type-options': 'nosniff',
        'content-security-policy': "sandbox; default-src 'none'",
      });
      expect((await get(`/artifacts/${id}/content`).set('if-none-match', `"${SHA256}"`)).status).toBe(304);
      expect((await get(`/artifacts/${id}/content`).set('range', 'bytes=0-7')).status).toBe(206);
    });

    it('of another job are not there, and neither are those whose bytes are gone', async () => {
      const other = await submit(api, tenant);
      const id = await add('elsewhere.html', other);
      expect((await get(`/artifacts/${id}/content`)).body.code).toBe('NOT_FOUND');
      const lost = await add('lost.html');
      await api.blobs.delete(`${tenant.workspaceId}/artifacts/${lost}`);
      const answer = await get(`/artifacts/${lost}/content`);
      expect([answer.status, answer.headers['content-type'], answer.headers['content-disposition']]).toEqual([
        404,
        'application/problem+json; charset=utf-8',
        undefined,
      ]);
    });
  });

  describe('the proof', () => {
    it('holds for a finished job and for one that waits', async () => {
      const waiting = await submit(api, tenant);
      for (const id of [job.id, waiting.id]) {
        const { body } = await api
          .http()
          .get(`${tenant.jobs}/${id}/verify`)
          .auth(tenant.key, { type: 'bearer' })
          .expect(200);
        expect(body).toMatchObject({
          jobId: id,
          valid: true,
          firstBad: null,
          fold: { matches: true, differences: [] },
        });
        expect(body.head.seq).toBe(body.events);
      }
    });

    it.each([
      ["UPDATE runner_jobs SET name = 'forged' WHERE id = $1", 'job: name is "forged"'],
      [
        'UPDATE job_steps SET outputs = \'{"lines": "99"}\' WHERE job_id = $1 AND key = \'count\'',
        'step "count": outputs is {"lines":"99"}',
      ],
      [
        "UPDATE job_steps SET status = 'SKIPPED' WHERE job_id = $1 AND key = 'enough'",
        'step "enough": status is "SKIPPED"',
      ],
    ])('finds rows that do not follow from the events: %s', async (forgery, difference) => {
      const forged = await submit(api, tenant);
      await finished(api, tenant, forged.id);
      await api.asOwner(forgery, [forged.id]);
      const { body } = await api.http().get(`${tenant.jobs}/${forged.id}/verify`).auth(tenant.key, { type: 'bearer' });
      expect(body).toMatchObject({ valid: false, firstBad: null, fold: { matches: false } });
      expect(body.fold.differences).toEqual([expect.stringContaining(difference)]);
    });

    it('names the first event that does not fit', async () => {
      const forged = await submit(api, tenant);
      await finished(api, tenant, forged.id);
      await api.asOwner('UPDATE runner_jobs SET head_seq = head_seq + 1 WHERE id = $1', [forged.id]);
      const { body } = await api.http().get(`${tenant.jobs}/${forged.id}/verify`).auth(tenant.key, { type: 'bearer' });
      expect(body).toMatchObject({ valid: false, firstBad: { seq: body.events + 1, reason: 'TAIL_MISSING' } });
    });
  });
});
