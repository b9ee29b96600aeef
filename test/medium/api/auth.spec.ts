import { newId } from '#kernel';
import { startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

describe('who may ask', () => {
  let api: ApiSystem;
  let ours: Tenant;
  let theirs: Tenant;
  beforeAll(async () => {
    api = await startApi();
    [ours, theirs] = await Promise.all([api.tenant(), api.tenant()]);
  });
  afterAll(() => api.close());

  const get = (path: string, key: string) => api.http().get(path).auth(key, { type: 'bearer' });

  it.each([
    ['no header', {}],
    ['an empty header', { authorization: '' }],
    ['another scheme', { authorization: 'Basic eDp5' }],
    ['no token', { authorization: 'Bearer ' }],
    ['two tokens', { authorization: 'Bearer a b' }],
    ['nonsense', { authorization: 'Bearer nonsense' }],
    ['a key with a typing mistake', { authorization: 'Bearer rl_live_0000000000000000000000000000000zz' }],
  ])('401 for %s', async (_, headers) => {
    for (const path of ['/v1/me', ours.jobs, `${ours.jobs}/${newId()}`, `${ours.jobs}/${newId()}/events/stream`]) {
      const answer = await api.http().get(path).set(headers);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="runledger"');
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(answer.body.code).toBe('UNAUTHENTICATED');
    }
  });

  it('401 before the body is read: a stranger learns nothing from a broken one', async () => {
    const answer = await api.http().post(ours.jobs).set('content-type', 'application/json').send('{"name":');
    expect(answer.status).toBe(401);
  });

  it('401 for a key that nobody knows, that has expired, or that was revoked a moment ago', async () => {
    const expired = await api.keyWith(ours, ['jobs:read'], { expiresAt: new Date(Date.now() - 1) });
    const revoked = await api.keyWith(ours, ['jobs:read']);
    expect((await get('/v1/me', revoked)).status).toBe(200);
    await api.asOwner("UPDATE api_keys SET revoked_at = now() WHERE name = 'another key' AND expires_at IS NULL");
    const details = [(await get('/v1/me', expired)).body.detail, (await get('/v1/me', revoked)).body.detail];
    expect(details).toEqual(['This API key has expired.', 'This API key was revoked.']);
    await api.asOwner("DELETE FROM api_keys WHERE name = 'another key'");
    expect((await get('/v1/me', revoked)).body.detail).toBe('This API key is not known here.');
  });

  it('tells a key what it is', async () => {
    const { body } = await get('/v1/me', ours.key).expect(200);
    expect(body).toEqual({
      workspaceId: ours.workspaceId,
      workspaceName: 'Test',
      keyId: ours.keyId,
      keyName: 'test key',
      scopes: ['jobs:read', 'jobs:write', 'approvals:write', 'admin'],
      roles: [],
    });
  });

  it('403 names the scope that is missing', async () => {
    const reader = await api.keyWith(ours, ['jobs:read']);
    const writer = await api.keyWith(ours, ['jobs:write']);
    const refused = await api.http().post(ours.jobs).auth(reader, { type: 'bearer' }).send({});
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ code: 'FORBIDDEN', detail: 'This API key lacks the scope "jobs:write".' });
    expect((await get(ours.jobs, writer)).status).toBe(403);
    expect((await get(ours.jobs, reader)).status).toBe(200);
  });

  it("answers somebody else's ids, missing ids and nonsense with the same bytes", async () => {
    const job = await submit(api, theirs);
    const step = job.steps[0]?.id ?? '';
    const suffixes = [
      '',
      '/steps',
      '/events',
      '/events/stream',
      '/verify',
      `/steps/${step}/transcript`,
      '/artifacts',
      `/artifacts/${newId()}/content`,
      '/artifacts/export.zip',
    ];
    const bodies = new Set<string>();
    for (const suffix of suffixes) {
      for (const path of [
        `${ours.jobs}/${job.id}`,
        `${theirs.jobs}/${job.id}`,
        `${ours.jobs}/${newId()}`,
        `${ours.jobs}/not-an-id`,
        `/v1/workspaces/nothing/runner-jobs/${job.id}`,
      ]) {
        const answer = await get(path + suffix, ours.key);
        expect([path + suffix, answer.status]).toEqual([path + suffix, 404]);
        bodies.add(answer.text);
      }
    }
    expect(bodies.size).toBe(1);
    expect((await api.http().post(theirs.jobs).auth(ours.key, { type: 'bearer' }).send({})).text).toBe([...bodies][0]);
    expect((await get(`${theirs.jobs}/${job.id}`, theirs.key)).status).toBe(200);
  });

  it("lists only one's own", async () => {
    const [mine, other] = [await submit(api, ours), await submit(api, theirs)];
    const ids = (await get(`${ours.jobs}?limit=200`, ours.key)).body.items.map((item: { id: string }) => item.id);
    expect(ids).toContain(mine.id);
    expect(ids).not.toContain(other.id);
  });

  it('notes the use of a key, once a minute at most', async () => {
    const tenant = await api.tenant();
    const lastUse = async (): Promise<unknown> =>
      (await api.asOwner('SELECT last_used_at FROM api_keys WHERE id = $1', [tenant.keyId]))[0]?.['last_used_at'];
    await get('/v1/me', tenant.key);
    for (const deadline = Date.now() + 5_000; (await lastUse()) === null && Date.now() < deadline;)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const noted = await lastUse();
    expect(noted).toBeInstanceOf(Date);
    for (let count = 0; count < 20; count += 1) await get('/v1/me', tenant.key);
    expect(await lastUse()).toEqual(noted);
  });
});
