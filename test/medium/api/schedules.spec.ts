import { newId } from '#kernel';
import { HELLO, startApi, type ApiSystem, type Tenant } from './api-system.js';

const SPEC = { name: 'nightly', cron: '30 2 * * *', timeZone: 'Europe/Berlin', job: HELLO };

describe('schedules over HTTP', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let schedules: string;
  beforeAll(async () => {
    api = await startApi();
  });
  beforeEach(async () => {
    tenant = await api.tenant();
    schedules = `/v1/workspaces/${tenant.workspaceId}/schedules`;
  });
  afterAll(() => api.close());

  const send = (
    method: 'get' | 'post' | 'put' | 'delete',
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ) => {
    const sent = api.http()[method](path).auth(tenant.key, { type: 'bearer' }).set(headers);
    return body === undefined ? sent : sent.send(body);
  };

  it('are created, read, replaced, paused, resumed and deleted', async () => {
    const created = await send('post', schedules, SPEC);
    expect([created.status, created.headers['location'], created.headers['etag']]).toEqual([
      201,
      `${schedules}/${created.body.id}`,
      '"1"',
    ]);
    expect(created.body).toMatchObject({ name: 'nightly', overlap: 'skip', catchUp: 'latest', paused: false });
    expect(created.body.nextRunAt).toMatch(/T0[01]:30:00\.000Z$/);
    const path = `${schedules}/${created.body.id}`;
    expect((await send('get', path)).body).toEqual(created.body);
    expect((await send('get', schedules)).body).toEqual({ items: [created.body], nextCursor: null });
    const next = await send('get', `${path}/next-runs?count=3`);
    expect(next.body.items).toHaveLength(3);
    expect(next.body.items[0]).toBe(created.body.nextRunAt);

    const stale = await send('put', path, { ...SPEC, cron: '@hourly' }, { 'If-Match': '"7"' });
    expect([stale.status, stale.body.code]).toEqual([412, 'PRECONDITION_FAILED']);
    const replaced = await send('put', path, { ...SPEC, cron: '@hourly' }, { 'If-Match': '"1"' });
    expect([replaced.status, replaced.body.cron, replaced.headers['etag']]).toEqual([200, '@hourly', '"2"']);

    const paused = await send('post', `${path}/pause`);
    expect([paused.status, paused.body.paused, paused.body.nextRunAt]).toEqual([200, true, null]);
    expect((await send('get', `${path}/next-runs`)).body).toEqual({ items: [] });
    expect((await send('post', `${path}/pause`)).body.version).toBe(paused.body.version);
    const resumed = await send('post', `${path}/resume`);
    expect([resumed.status, resumed.body.paused, resumed.body.nextRunAt]).toEqual([200, false, expect.any(String)]);

    expect((await send('delete', path, undefined, { 'If-Match': '"1"' })).status).toBe(412);
    const gone = await send('delete', path);
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect((await send('get', path)).status).toBe(404);
  });

  it('tell every mistake, with the place of those in the job', async () => {
    const wrong = {
      name: 'x',
      cron: '0 0 30 2 *',
      overlap: 'pile',
      job: { name: 'x', steps: [{ key: 'A', type: 'GATE' }] },
    };
    const answer = await send('post', schedules, wrong);
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    const fields = answer.body.errors.map(({ field }: { field: string }) => field);
    expect(fields).toEqual(expect.arrayContaining(['cron', 'overlap', 'job.steps[0].key']));
    expect(answer.body.detail).toContain('never fires');
    expect((await send('post', schedules, { ...SPEC, job: undefined })).body.errors[0].field).toBe('job');
    await send('post', schedules, SPEC);
    const twice = await send('post', schedules, SPEC);
    expect([twice.status, twice.body.code]).toEqual([409, 'CONFLICT']);
  });

  it('show nothing of what belongs to somebody else', async () => {
    const { body } = await send('post', schedules, SPEC);
    tenant = await api.tenant();
    const mine = `/v1/workspaces/${tenant.workspaceId}/schedules`;
    const missing = await send('get', `${mine}/${newId()}`);
    for (const [method, rest, sent] of [
      ['get', '', undefined],
      ['put', '', SPEC],
      ['delete', '', undefined],
      ['post', '/pause', undefined],
      ['get', '/next-runs', undefined],
    ] as const) {
      const answer = await send(method, `${mine}/${body.id}${rest}`, sent);
      expect([method, answer.status, answer.text]).toEqual([method, 404, missing.text]);
    }
    expect((await send('get', schedules)).status).toBe(404);
  });
});
