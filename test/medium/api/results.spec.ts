import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Response } from 'supertest';
import { newId } from '#kernel';
import { follow } from './sse-client.js';
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

    describe('of both streams', () => {
      const PAUSE = 'sleep 0.05';
      // Well below the time after which a line that is not ended yet is shown.
      const MOMENT = 'sleep 0.01';
      const run = [
        'echo "öne"',
        PAUSE,
        'echo "bäd" >&2',
        PAUSE,
        'printf "tw"',
        'printf "torn " >&2',
        MOMENT,
        'echo "ö"',
        MOMENT,
        'echo "line" >&2',
        PAUSE,
        'echo last',
      ].join('; ');
      const PIECES = [
        { stream: 'stdout', offset: 0, text: 'öne\n' },
        { stream: 'stderr', offset: 5, text: 'bäd\n' },
        { stream: 'stdout', offset: 10, text: 'twö\n' },
        { stream: 'stderr', offset: 15, text: 'torn line\n' },
        { stream: 'stdout', offset: 25, text: 'last\n' },
      ];
      let both: typeof job;
      let path: string;
      beforeAll(async () => {
        both = await submit(api, tenant, { name: 'both', steps: [{ key: 'both', type: 'COMMAND', run }] });
        await finished(api, tenant, both.id);
        path = `${tenant.jobs}/${both.id}/steps/${both.steps[0]?.id}/transcript`;
      });
      const ask = (query = '', headers: Record<string, string> = {}) =>
        api.http().get(`${path}${query}`).auth(tenant.key, { type: 'bearer' }).set(headers).buffer(true).parse(asText);

      it('keep their lines whole and in order, and can be read apart', async () => {
        const whole = PIECES.map((piece) => piece.text).join('');
        expect((await ask()).body).toBe(whole);
        expect((await ask('?stream=stdout')).body).toBe('öne\ntwö\nlast\n');
        const errors = await ask('?stream=stderr');
        expect([errors.body, errors.headers['content-length']]).toEqual(['bäd\ntorn line\n', '15']);
        const part = await ask('?stream=stderr', { range: 'bytes=5-8' });
        expect([part.status, part.body, part.headers['content-range']]).toEqual([206, 'torn', 'bytes 5-8/15']);
        const tags = await Promise.all(
          ['', '?stream=stdout', '?stream=stderr'].map(async (query) => (await ask(query)).headers['etag']),
        );
        expect(new Set(tags).size).toBe(3);
      });

      it('come as pieces of one stream each, by query or by Accept', async () => {
        for (const answer of [await ask('?format=ndjson'), await ask('', { accept: 'application/x-ndjson' })]) {
          expect(answer.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
          expect(linesOf(answer.body)).toEqual(PIECES);
        }
        expect(linesOf((await ask('?format=ndjson&stream=stderr')).body)).toEqual([PIECES[1], PIECES[3]]);
        expect((await ask('?format=text', { accept: 'application/x-ndjson' })).headers['content-type']).toContain(
          'text/plain',
        );
        expect((await ask('?stream=both')).status).toBe(422);
        const head = await api.http().head(`${path}?format=ndjson`).auth(tenant.key, { type: 'bearer' });
        expect(head.status).toBe(200);
      });

      it('are covered by the digests of the ledger, the text and who wrote it', async () => {
        const { items } = (
          await api.http().get(`${tenant.jobs}/${both.id}/events?limit=500`).auth(tenant.key, { type: 'bearer' })
        ).body;
        const { payload } = items.find((event: { type: string }) => event.type === 'step.output');
        expect(payload.sha256).toBe(
          createHash('sha256')
            .update((await ask()).body)
            .digest('hex'),
        );
        const index = PIECES.map(
          ({ stream, text }) => `${stream === 'stdout' ? 'o' : 'e'}${Buffer.byteLength(text)}`,
        ).join(' ');
        expect(payload.streamsSha256).toBe(createHash('sha256').update(index).digest('hex'));
      });

      it('are told apart by the event stream, live and afterwards', async () => {
        const again = await follow(`${api.url}${tenant.jobs}/${both.id}/events/stream`, tenant.key);
        await again.ended;
        const live = await submit(api, tenant, { name: 'both', steps: [{ key: 'both', type: 'COMMAND', run }] });
        const client = await follow(`${api.url}${tenant.jobs}/${live.id}/events/stream`, tenant.key);
        await client.ended;
        for (const { events } of [again, client]) {
          const output = events
            .filter((event) => event.event === 'output')
            .map(({ data }) => [data['stream'], data['offset'], data['text']]);
          expect(output).toEqual(PIECES.map(({ stream, offset, text }) => [stream, offset, text]));
        }
      });

      it('say to both how much is missing', async () => {
        const long = 'for i in $(seq 400); do echo "O $i"; echo "E $i" >&2; done';
        const cut = await submit(api, tenant, {
          name: 'cut',
          steps: [{ key: 'cut', type: 'COMMAND', run: long, limits: { outputKb: 1 } }],
        });
        await finished(api, tenant, cut.id);
        path = `${tenant.jobs}/${cut.id}/steps/${cut.steps[0]?.id}/transcript`;
        const pieces = linesOf((await ask('?format=ndjson')).body);
        expect(pieces.filter(({ stream }) => stream === 'runner')).toHaveLength(1);
        expect(pieces.map(({ text }) => text).join('')).toBe((await ask()).body);
        for (const stream of ['stdout', 'stderr']) {
          const { body } = await ask(`?stream=${stream}`);
          expect(body).toMatch(/\[\.\.\. [\d,]+ bytes left out \.\.\.\]/);
          expect(body).not.toContain(stream === 'stdout' ? 'E ' : 'O ');
        }
      });
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

/** The body as text, whatever its media type. */
function asText(response: Response, done: (error: Error | null, body: string) => void): void {
  const parts: Buffer[] = [];
  response.on('data', (part: Buffer) => parts.push(part));
  response.on('end', () => done(null, Buffer.concat(parts).toString('utf8')));
}

function linesOf(body: string): { stream: string; offset: number; text: string }[] {
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { stream: string; offset: number; text: string });
}
