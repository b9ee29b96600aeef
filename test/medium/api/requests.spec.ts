import { newId } from '#kernel';
import { HELLO, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

describe('requests and their answers', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  beforeAll(async () => {
    api = await startApi();
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  const get = (path: string) => api.http().get(path).auth(tenant.key, { type: 'bearer' });
  const post = (body: string | object, type = 'application/json') =>
    api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).set('content-type', type).send(body);

  it('accepts a job and says where it is', async () => {
    const answer = await post(HELLO);
    expect(answer.status).toBe(201);
    expect(answer.headers['location']).toBe(`${tenant.jobs}/${answer.body.id}`);
    expect(answer.headers['etag']).toBe('"1"');
    expect(answer.body).toMatchObject({
      status: 'PENDING',
      createdBy: { type: 'api_key', id: tenant.keyId },
      head: { seq: 1 },
    });
    const stored = await get(answer.headers['location'] ?? '');
    expect(stored.body).toEqual(answer.body);
    expect(stored.headers['etag']).toBe('"1"');
    expect((await get(`${tenant.jobs}/${answer.body.id}/steps`)).body).toEqual({ items: answer.body.steps });
  });

  it('takes YAML too', async () => {
    const answer = await post(
      'name: from yaml\nsteps:\n  - key: ok\n    type: GATE\n    condition: "true"\n',
      'application/yaml',
    );
    expect([answer.status, answer.body.name]).toEqual([201, 'from yaml']);
  });

  it.each([
    ['broken JSON', '{"name": "x",}', 'application/json', 400, 'MALFORMED_BODY', /line 1, column 14/],
    ['broken YAML', 'a: [', 'application/yaml', 400, 'MALFORMED_BODY', /line 1/],
    ['an empty body', '', 'application/json', 400, 'MALFORMED_BODY', /empty/],
    ['another media type', '<job/>', 'application/xml', 415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/],
    ['a form', 'a=b', 'application/x-www-form-urlencoded', 415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/],
    ['a huge body', `"${'x'.repeat(1_100_000)}"`, 'application/json', 413, 'PAYLOAD_TOO_LARGE', /1 MiB/],
    ['no object', '[1]', 'application/json', 422, 'VALIDATION_FAILED', /./],
    ['null', 'null', 'application/json', 422, 'VALIDATION_FAILED', /./],
    [
      'a deeply nested body',
      '['.repeat(200_000) + ']'.repeat(200_000),
      'application/json',
      400,
      'MALFORMED_BODY',
      /nested too deeply/,
    ],
  ])('refuses %s', async (_, body, type, status, code, detail) => {
    const answer = await post(body, type);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toMatchObject({
      status,
      type: expect.stringMatching(/^urn:runledger:problem:/),
      title: expect.any(String),
    });
    expect(answer.body.detail).toMatch(detail);
  });

  it('says of every broken rule which field and which rule', async () => {
    const answer = await post({
      name: '',
      colour: 'red',
      steps: [
        { key: 'A', type: 'COMMAND', run: 'x' },
        { key: 'g', type: 'GATE', condition: '1 +' },
      ],
    });
    expect(answer.status).toBe(422);
    const fields = answer.body.errors.map((error: { field: string }) => error.field);
    expect(fields).toEqual(expect.arrayContaining(['name', 'colour', 'steps[0].key', 'steps[1].condition']));
    for (const error of answer.body.errors)
      expect(error).toEqual({
        field: expect.any(String),
        rule: expect.stringMatching(/./),
        message: expect.stringMatching(/./),
      });
    expect((await get(tenant.jobs)).body.items.every((job: { name: string }) => job.name !== '')).toBe(true);
  });

  it('refuses what no worker could run', async () => {
    const steps = [{ key: 'clone', type: 'COMMAND', uses: 'git.clone' }];
    const answer = await post({ name: 'unknown action', steps });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field: 'steps[0].uses', rule: 'knownAction' })]);
  });

  it('knows its paths and their methods', async () => {
    expect((await get('/v1/nothing')).body.code).toBe('NOT_FOUND');
    expect((await get('/%zz')).body.code).toBe('NOT_FOUND');
    const wrong = await api.http().delete(tenant.jobs).auth(tenant.key, { type: 'bearer' });
    expect([wrong.status, wrong.body.code, wrong.headers['allow']]).toEqual([
      405,
      'METHOD_NOT_ALLOWED',
      'GET, HEAD, POST',
    ]);
  });

  it("gives every answer an id, the caller's own where it has a sane one", async () => {
    expect((await get('/v1/me').set('X-Request-Id', 'trace-1:a.b')).headers['x-request-id']).toBe('trace-1:a.b');
    expect((await get('/v1/nothing').set('X-Request-Id', 'trace-2')).headers['x-request-id']).toBe('trace-2');
    for (const bad of ['a b', 'x'.repeat(129), '<script>'])
      expect((await get('/v1/me').set('X-Request-Id', bad)).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('tells browsers to be careful', async () => {
    const { headers } = await get('/v1/me');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });

  describe('lists', () => {
    let lister: Tenant;
    let ids: string[];
    const list = (query: string) => api.http().get(`${lister.jobs}?${query}`).auth(lister.key, { type: 'bearer' });
    const idsOf = (answer: { body: { items: { id: string }[] } }): string[] => answer.body.items.map((item) => item.id);
    beforeAll(async () => {
      lister = await api.tenant();
      ids = [];
      for (let count = 0; count < 7; count += 1) ids.unshift((await submit(api, lister)).id);
    });

    it('pages newest first, without repeats or gaps while new jobs come in', async () => {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const answer = await list(`limit=3${cursor === null ? '' : `&cursor=${cursor}`}`);
        seen.push(...idsOf(answer));
        cursor = answer.body.nextCursor;
        await submit(api, lister);
      } while (cursor !== null);
      expect(seen).toEqual(ids);
    });

    it('ends with a null cursor when the page is just full', async () => {
      const all = await list('limit=200');
      expect((await list(`limit=${all.body.items.length}`)).body.nextCursor).toBeNull();
      expect((await list(`limit=${all.body.items.length - 1}`)).body.nextCursor).toEqual(expect.any(String));
    });

    it('filters by status and kind', async () => {
      await api.asOwner('UPDATE runner_jobs SET status = $2 WHERE id = $1', [ids[2], 'QUEUED']);
      expect(idsOf(await list('status=QUEUED'))).toEqual([ids[2]]);
      expect(idsOf(await list('status=FAILED'))).toEqual([]);
      expect(idsOf(await list('kind=INDEX'))).toEqual([]);
      expect(idsOf(await list('kind=PIPELINE&limit=200')).length).toBeGreaterThanOrEqual(7);
    });

    it.each([
      ['limit=0', 'limit', 'range'],
      ['limit=201', 'limit', 'range'],
      ['limit=ten', 'limit', 'range'],
      ['limit=1&limit=2', 'limit', 'single'],
      ['status=running', 'status', 'enum'],
      ['kind=lower', 'kind', 'pattern'],
      ['cursor=garbage', 'cursor', 'cursor'],
      ['cursor=', 'cursor', 'cursor'],
      ['cursor=MQ', 'cursor', 'cursor'],
      ['page=2', 'page', 'unknown'],
    ])('422 for ?%s', async (query, field, rule) => {
      const answer = await list(query);
      expect(answer.status).toBe(422);
      expect(answer.body.errors).toEqual([{ field, rule, message: expect.stringMatching(new RegExp(`^${field} `)) }]);
    });

    it('bounds the other lists too', async () => {
      for (const path of [
        'events?limit=501',
        'artifacts?limit=201',
        'events?cursor=!',
        'artifacts?cursor=!',
        `steps/${newId()}/transcript?attempt=0`,
        'events/stream?lastEventId=-1',
        'events?order=desc',
      ]) {
        expect((await get(`${tenant.jobs}/${ids[0]}/${path}`)).status).toBe(422);
      }
    });
  });
});
