import { newId } from '#kernel';
import { finished, HELLO, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

describe('cancelling over HTTP', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    api = await startApi();
    [tenant, other] = await Promise.all([api.tenant(), api.tenant()]);
  });
  afterAll(() => api.close());

  const cancel = (jobId: string, body?: object, as: Tenant = tenant) => {
    const sent = api.http().post(`${as.jobs}/${jobId}/cancel`).auth(as.key, { type: 'bearer' });
    return body === undefined ? sent : sent.send(body);
  };

  it('answers 202 with the job, once more too, and 409 with the state of a job that has ended otherwise', async () => {
    const { id } = await submit(api, tenant);
    const first = await cancel(id, { reason: 'the wrong branch' });
    expect(first.status).toBe(202);
    expect(first.body).toMatchObject({ id, status: 'PENDING', cancelRequestedAt: expect.any(String) });
    expect(first.headers['etag']).toBe(`"${first.body.version}"`);
    const second = await cancel(id);
    expect([second.status, second.body.cancelRequestedAt]).toEqual([202, first.body.cancelRequestedAt]);

    await api.startWorker();
    expect((await finished(api, tenant, id)).status).toBe('CANCELLED');
    expect((await cancel(id)).body).toMatchObject({ status: 'CANCELLED' });

    const done = await submit(api, tenant, HELLO);
    expect((await finished(api, tenant, done.id)).status).toBe('COMPLETED');
    const refused = await cancel(done.id);
    expect([refused.status, refused.headers['content-type']]).toEqual([409, expect.stringContaining('problem+json')]);
    expect(refused.body).toMatchObject({ code: 'CONFLICT', state: 'COMPLETED' });
    expect(refused.body.detail).toContain('COMPLETED');
  }, 30_000);

  it('shows nothing of what belongs to somebody else', async () => {
    const { id } = await submit(api, tenant);
    const [theirs, missing] = [await cancel(id, {}, other), await cancel(newId(), {}, other)];
    expect([theirs.status, theirs.text]).toEqual([404, missing.text]);
    expect((await cancel('no-id')).text).toBe(missing.text);
    const [row] = await api.asOwner('SELECT cancel_requested_at FROM runner_jobs WHERE id = $1', [id]);
    expect(row).toEqual({ cancel_requested_at: null });
  });

  it.each([
    [{ reason: 5 }, 'reason'],
    [{ reason: '' }, 'reason'],
    [{ reason: 'x'.repeat(1_001) }, 'reason'],
    [{ why: 'x' }, 'why'],
  ])('refuses %j', async (body, field) => {
    const { id } = await submit(api, tenant);
    const answer = await cancel(id, body);
    expect([answer.status, answer.body.code, answer.body.errors?.[0]?.field]).toEqual([
      422,
      'VALIDATION_FAILED',
      field,
    ]);
  });

  it('needs the scope to write jobs', async () => {
    const { id } = await submit(api, tenant);
    const key = await api.keyWith(tenant, ['jobs:read']);
    const answer = await api.http().post(`${tenant.jobs}/${id}/cancel`).auth(key, { type: 'bearer' });
    expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
  });
});
