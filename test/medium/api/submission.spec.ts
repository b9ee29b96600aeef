import { SubmitJob } from '#runner';
import { newId } from '#kernel';
import { HELLO, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();
const networked = { name: 'online', steps: [{ key: 'a', type: 'COMMAND', run: 'true', network: 'full' }] };

describe('what a job may ask for', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  beforeAll(async () => {
    api = await startApi();
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  const get = (path: string, by = tenant) => api.http().get(path).auth(by.key, { type: 'bearer' });
  const post = (path: string, body: object, by = tenant) =>
    api.http().post(path).auth(by.key, { type: 'bearer' }).send(body);

  it('is told by the answer, the job and the list alike', async () => {
    const runAt = inHours(1);
    const options = {
      projectId: newId(),
      tags: ['b', 'a', 'b'],
      metadata: { customer: 'acme', nested: { deep: [1] } },
      ...{ timeoutSeconds: 60, runAt, expiresAt: inHours(2) },
      concurrency: { key: 'deploy-${{ job.metadata.customer }}' },
      rateLimit: { key: 'mail', limit: 3, periodSeconds: 60 },
    };
    const answer = await post(tenant.jobs, { ...HELLO, ...options });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      projectId: options.projectId,
      tags: ['a', 'b'],
      metadata: options.metadata,
      ...{ runAt, expiresAt: options.expiresAt, retryOf: null, scheduleId: null, cancelRequestedAt: null },
      concurrency: { key: 'deploy-acme', limit: 1, onConflict: 'queue' },
      rateLimit: options.rateLimit,
      waitingFor: { reason: 'RUN_AT', until: runAt },
      progressMessage: null,
      definition: { timeoutSeconds: 60, concurrency: { key: 'deploy-${{ job.metadata.customer }}' } },
    });
    const job = `${tenant.jobs}/${answer.body.id}`;
    expect((await get(job)).body).toEqual(answer.body);
    expect((await get(`${job}/verify`)).body).toMatchObject({ valid: true, fold: { matches: true } });
    const { definition: _, result: _r, failedStepId: _f, head: _h, steps: _s, ...summary } = answer.body;
    expect((await get(`${tenant.jobs}?limit=1`)).body.items).toEqual([summary]);
  });

  it.each([
    [
      'a name that the key needs is missing',
      { concurrency: { key: '${{ job.metadata.nobody }}' } },
      'concurrency.key',
      /cannot be filled in.*has no "nobody"/,
    ],
    [
      'a key is filled in with too much',
      { concurrency: { key: '${{ job.name + job.name }}' }, name: 'x'.repeat(150) },
      'concurrency.key',
      /1 to 200 characters when it is filled in, not 300/,
    ],
    [
      'a key is filled in with nothing',
      { rateLimit: { key: '${{ job.metadata.x }}', limit: 1, periodSeconds: 1 }, metadata: { x: '' } },
      'rateLimit.key',
      /not nothing/,
    ],
    [
      'a key has 10 KB',
      { concurrency: { key: 'x'.repeat(10_240) } },
      'concurrency.key',
      /must have 1 to 1000 characters/,
    ],
    ['the expiry is in the past', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt', /must be in the future/],
  ])('is refused where %s', async (_, options, field, message) => {
    const answer = await post(tenant.jobs, { ...HELLO, ...options });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field, message: expect.stringMatching(message) })]);
  });

  it('says why a job does not go on, as far as its rows know', async () => {
    const own = await api.tenant();
    const held = async (columns: string): Promise<unknown[]> => {
      const { id } = await submit(api, own);
      await api.asOwner(`UPDATE runner_jobs SET ${columns} WHERE id = $1`, [id]);
      const [one, listed] = [await get(`${own.jobs}/${id}`, own), await get(`${own.jobs}?limit=1`, own)];
      return [one.body.waitingFor, listed.body.items[0].waitingFor];
    };
    const parked = "status = 'RUNNING', parked_at = now(), wake_at = '2030-01-01T00:00:00Z'";
    const twice = (value: unknown): unknown[] => [value, value];
    expect(await held("hold = 'CONCURRENCY'")).toEqual(twice({ reason: 'CONCURRENCY', until: null }));
    expect(await held("hold = 'RATE_LIMIT'")).toEqual(twice({ reason: 'RATE_LIMIT', until: null }));
    expect(await held(parked)).toEqual(twice({ reason: 'APPROVAL', until: '2030-01-01T00:00:00.000Z' }));
    expect(await held('hold = NULL')).toEqual(twice(null));
    await api.asOwner("UPDATE job_steps SET retry_at = '2030-01-02T00:00:00Z' WHERE workspace_id = $1 AND ordinal = 0", [own.workspaceId]); // prettier-ignore
    expect((await get(`${own.jobs}?status=RUNNING`, own)).body.items[0].waitingFor).toEqual({
      reason: 'RETRY',
      until: '2030-01-02T00:00:00.000Z',
    });
  });

  describe('a batch', () => {
    const jobs = (count: number): object[] =>
      Array.from({ length: count }, (_, index) => ({ ...HELLO, name: `batch ${index}`, tags: ['batch'] }));

    it('is accepted as a whole, in its order', async () => {
      const own = await api.tenant();
      const answer = await post(`${own.jobs}/batch`, { jobs: jobs(1_000) }, own);
      expect(answer.status).toBe(201);
      const names = answer.body.items.map(({ name }: { name: string }) => name);
      expect(names).toEqual(Array.from({ length: 1_000 }, (_, index) => `batch ${index}`));
      const first = await get(`${own.jobs}/${answer.body.items[0].id}`, own);
      expect(first.body).toMatchObject(answer.body.items[0]);
      expect((await get(`${own.jobs}/${answer.body.items[999].id}/verify`, own)).body.valid).toBe(true);
      const [stored] = await api.asOwner(
        'SELECT (SELECT count(*)::int FROM runner_jobs WHERE workspace_id = $1) AS jobs, (SELECT count(*)::int FROM job_terms WHERE workspace_id = $1) AS terms',
        [own.workspaceId],
      );
      expect(stored).toEqual({ jobs: 1_000, terms: 1_000 });
    });

    it('is refused as a whole for one bad definition, by its place', async () => {
      const own = await api.tenant();
      const bad = jobs(30);
      bad[17] = { ...HELLO, steps: [{ key: 'a', type: 'COMMAND', run: 3 }] };
      bad[20] = 'nothing' as never;
      const answer = await post(`${own.jobs}/batch`, { jobs: bad }, own);
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
      expect(answer.body.errors).toEqual([
        { field: 'jobs[17].steps[0].run', rule: 'isString', message: 'jobs[17].steps[0].run must be a string' },
        { field: 'jobs[20]', rule: 'isObject', message: 'jobs[20] must be an object, not a string' },
      ]);
      expect((await get(own.jobs, own)).body.items).toEqual([]);
    });

    it('is refused as a whole for what shows only when it is stored', async () => {
      const own = await api.tenant();
      const unfillable = { ...HELLO, concurrency: { key: '${{ job.metadata.x }}' } };
      const answers = [
        await post(`${own.jobs}/batch`, { jobs: [HELLO, unfillable] }, own),
        await post(`${own.jobs}/batch`, { jobs: [HELLO, HELLO, networked] }, own),
      ];
      expect(answers.map(({ status, body }) => [status, body.errors[0].field])).toEqual([
        [422, 'jobs[1].concurrency.key'],
        [422, 'jobs[2].steps[0].network'],
      ]);
      expect((await get(own.jobs, own)).body.items).toEqual([]);
    });

    it.each([
      [{}, 'jobs'],
      [{ jobs: [] }, 'jobs'],
      [{ jobs: HELLO }, 'jobs'],
      [{ jobs: [HELLO], atOnce: true }, 'atOnce'],
      [{ jobs: Array.from({ length: 1_001 }, () => HELLO) }, 'jobs'],
    ])('is an object with a list of 1 to 1000 jobs (%#)', async (body, field) => {
      const answer = await post(`${tenant.jobs}/batch`, body);
      expect([answer.status, answer.body.errors[0].field]).toEqual([422, field]);
    });

    it('may have 8 MiB, and no more', async () => {
      const large = (kilobytes: number): object => ({ jobs: [{ ...HELLO, env: { A: 'x' } }], pad: 'x'.repeat(kilobytes * 1024) }); // prettier-ignore
      expect((await post(`${tenant.jobs}/batch`, large(7_000))).status).toBe(422);
      const answer = await post(`${tenant.jobs}/batch`, large(8_200));
      expect([answer.status, answer.body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
      expect((await post(tenant.jobs, large(1_100))).status).toBe(413);
    });

    it('needs a key that may write', async () => {
      const key = await api.keyWith(tenant, ['jobs:read']);
      const answer = await api
        .http()
        .post(`${tenant.jobs}/batch`)
        .auth(key, { type: 'bearer' })
        .send({ jobs: [HELLO] });
      expect(answer.status).toBe(403);
    });
  });

  describe('a search', () => {
    let own: Tenant;
    const projectId = newId();
    beforeAll(async () => {
      own = await api.tenant();
      await submit(api, own, { ...HELLO, name: 'one', tags: ['a', 'x=y'], metadata: { customer: 'acme', size: 3 } });
      await submit(api, own, { ...HELLO, name: 'two', tags: ['a', 'b'], metadata: { customer: 'acme', ok: true } });
      await submit(api, own, { ...HELLO, name: 'three', tags: ['b'], projectId, metadata: { 'a=b': 'c', note: 'y'.repeat(201) } }); // prettier-ignore
      await submit(api, own, { ...HELLO, name: 'four', metadata: { a: 'b=c', ['k'.repeat(5_000)]: 'v', list: ['acme'] } }); // prettier-ignore
      await submit(api, await api.tenant(), { ...HELLO, tags: ['a', 'b'], metadata: { customer: 'acme' }, projectId });
    });

    const found = async (query: string): Promise<string[]> => {
      const answer = await get(`${own.jobs}?${query}`, own);
      expect(answer.status).toBe(200);
      return answer.body.items.map(({ name }: { name: string }) => name);
    };

    it.each([
      ['tag=a', ['two', 'one']],
      ['tag=a&tag=b', ['two']],
      ['tag=x%3Dy', ['one']],
      ['tag=c', []],
      ['metadata.customer=acme', ['two', 'one']],
      ['metadata.size=3', ['one']],
      ['metadata.ok=true&tag=b', ['two']],
      ['metadata.customer=acme&metadata.size=4', []],
      ['metadata.a%3Db=c', ['three']],
      ['metadata.a=b%3Dc', ['four']],
      [`projectId=${projectId}`, ['three']],
      [`projectId=${projectId}&tag=a`, []],
      ['status=PENDING&tag=a', ['two', 'one']],
      ['status=FAILED&tag=a', []],
      [`scheduleId=${projectId}`, []],
      [`retryOf=${projectId}`, []],
    ])('%s finds %j', async (query, names) => {
      expect(await found(query)).toEqual(names);
    });

    it('pages through what it finds', async () => {
      const first = (await get(`${own.jobs}?tag=a&limit=1`, own)).body;
      expect(first.items.map(({ name }: { name: string }) => name)).toEqual(['two']);
      expect(await found(`tag=a&limit=1&cursor=${first.nextCursor}`)).toEqual(['one']);
    });

    it('finds retries and the jobs of a schedule', async () => {
      const scheduleId = newId();
      const definition = { ...HELLO, name: 'origin' };
      const { id: jobId } = await submit(api, own, definition);
      const { definition: accepted } = (await get(`${own.jobs}/${jobId}`, own)).body;
      const origin = { retryOf: { jobId, from: 'start' }, schedule: { scheduleId, scheduledFor: inHours(0) } };
      const actor = { type: 'api_key', id: own.keyId } as const;
      await api.app.get(SubmitJob).submit(own.workspaceId, actor, { ...accepted, name: 'again' }, origin);
      expect(await found(`retryOf=${jobId}`)).toEqual(['again']);
      expect(await found(`scheduleId=${scheduleId}`)).toEqual(['again']);
    });

    it.each([
      ['tag=', 'tag'],
      [`tag=${'x'.repeat(65)}`, 'tag'],
      ['tag=a&tag=b&tag=c&tag=d&tag=e&tag=f', 'tag'],
      ['metadata.=x', 'metadata.*'],
      [`metadata.x=${'x'.repeat(201)}`, 'metadata.x'],
      ['metadata.x=%00', 'metadata.x'],
      ['metadata.x=1&metadata.x=2', 'metadata.x'],
      ['metadata=x', 'metadata'],
      ['projectId=x', 'projectId'],
    ])('refuses %s', async (query, field) => {
      const answer = await get(`${own.jobs}?${query}`, own);
      expect([answer.status, answer.body.errors[0].field]).toEqual([422, field]);
    });
  });

  describe('the settings of the workspace', () => {
    const path = (by: Tenant): string => by.jobs.replace('/runner-jobs', '');
    const patch = (by: Tenant, change: object, ifMatch?: string) =>
      api.http().patch(path(by)).auth(by.key, { type: 'bearer' }).set(ifMatch === undefined ? {} : { 'if-match': ifMatch }).send(change); // prettier-ignore

    it('are shown, and change by what is named', async () => {
      const own = await api.tenant();
      const before = await get(path(own), own);
      expect(before.headers['etag']).toBe('"1"');
      expect(before.body).toMatchObject({
        ...{ id: own.workspaceId, name: 'Test', maxRunningJobs: null, requireFourEyes: false, allowNetwork: false },
        version: 1,
      });
      const after = await patch(own, { maxRunningJobs: 3 });
      expect([after.status, after.headers['etag']]).toEqual([200, '"2"']);
      expect(after.body).toMatchObject({ maxRunningJobs: 3, requireFourEyes: false, version: 2 });
      const again = await patch(own, { requireFourEyes: true, maxRunningJobs: null }, '"1", "2"');
      expect(again.body).toMatchObject({ maxRunningJobs: null, requireFourEyes: true, version: 3 });
      expect((await get(path(own), own)).body).toEqual(again.body);
    });

    it('of two who saw the same, one changes them', async () => {
      const own = await api.tenant();
      const changes = [1, 2, 3, 4].map((maxRunningJobs) => patch(own, { maxRunningJobs }, '"1"'));
      const answers = (await Promise.all(changes)).map(({ status, body }) => [status, body.code]);
      expect(answers.filter(([status]) => status === 200)).toHaveLength(1);
      expect(answers.filter(([, code]) => code === 'PRECONDITION_FAILED')).toHaveLength(3);
      expect((await get(path(own), own)).body.version).toBe(2);
    });

    it('are for administrators of the workspace to change', async () => {
      const own = await api.tenant();
      const key = await api.keyWith(own, ['jobs:read', 'jobs:write']);
      expect((await patch({ ...own, key }, { allowNetwork: true })).status).toBe(403);
      expect((await get(path(own), { ...own, key })).status).toBe(200);
      expect((await patch({ ...own, jobs: tenant.jobs }, { allowNetwork: true })).status).toBe(404);
      expect((await get(path(tenant))).body.allowNetwork).toBe(false);
    });

    it('are not changed to nonsense', async () => {
      const answer = await patch(tenant, { maxRunningJobs: 0, colour: 'red' });
      expect([answer.status, answer.body.errors.map(({ field }: { field: string }) => field)]).toEqual([
        422,
        ['maxRunningJobs', 'colour'],
      ]);
    });

    it('decide about the network of steps, and a neighbour that asks for less does not suffer', async () => {
      const own = await api.tenant();
      const [refused, ...others] = await Promise.all([
        post(own.jobs, networked, own),
        ...[1, 2, 3].map(() => post(own.jobs, HELLO, own)),
      ]);
      expect(refused?.status).toBe(422);
      expect(refused?.body.errors).toEqual([
        expect.objectContaining({ field: 'steps[0].network', rule: 'networkNotAllowed' }),
      ]);
      expect(others.map(({ status }) => status)).toEqual([201, 201, 201]);
      await patch(own, { allowNetwork: true });
      expect((await post(own.jobs, networked, own)).status).toBe(201);
    });
  });
});
