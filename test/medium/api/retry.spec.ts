import { newId } from '#kernel';
import { RunledgerClient } from '#client';
import { finished, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

const SECRET = 'a secret of some length';
const FAILS = {
  name: 'fails',
  runAt: new Date(Date.now() - 1_000).toISOString(),
  secrets: { TOKEN: SECRET },
  steps: [
    { key: 'first', phase: 'SETUP', type: 'COMMAND', run: 'echo a > a; echo "x=1" >> "$RUNLEDGER_OUTPUT"' },
    { key: 'second', type: 'COMMAND', secrets: ['TOKEN'], run: `cat a; test "$TOKEN" = "${SECRET}"; exit 3` },
  ],
};

describe('retrying over HTTP', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    api = await startApi();
    [tenant, other] = await Promise.all([api.tenant(), api.tenant()]);
  });
  afterAll(() => api.close());

  const retry = (jobId: string, body?: object, as: Tenant = tenant) => {
    const sent = api.http().post(`${as.jobs}/${jobId}/retry`).auth(as.key, { type: 'bearer' });
    return body === undefined ? sent : sent.send(body);
  };

  it('answers 409 with the state of a job that has not ended', async () => {
    const { id } = await submit(api, tenant, { ...FAILS, name: 'waits' });
    const refused = await retry(id);
    expect([refused.status, refused.headers['content-type']]).toEqual([409, expect.stringContaining('problem+json')]);
    expect(refused.body).toMatchObject({ code: 'CONFLICT', state: 'PENDING' });
  });

  it('answers 201 with the new job, which has the secrets of the old one; the old one stays as it was', async () => {
    await api.startWorker();
    const { id } = await submit(api, tenant, FAILS);
    const old = await finished(api, tenant, id);
    expect(old).toMatchObject({ status: 'FAILED', error: { code: 'COMMAND_FAILED' } });
    const answer = await retry(id);
    expect([answer.status, answer.headers['location']]).toEqual([201, `${tenant.jobs}/${answer.body.id}`]);
    expect(answer.headers['etag']).toBe(`"${answer.body.version}"`);
    expect(answer.body).toMatchObject({ name: 'fails', status: 'PENDING', retryOf: id, runAt: null });
    const retried = await finished(api, tenant, answer.body.id);
    // The exit code is the one behind the test of the secret.
    expect(
      retried.steps.map(({ status, skipReason, exitCode }: Record<string, unknown>) => [status, skipReason, exitCode]),
    ).toEqual([
      ['SKIPPED', 'REUSED', null],
      ['FAILED', null, 3],
    ]);
    const list = await api.http().get(`${tenant.jobs}?retryOf=${id}`).auth(tenant.key, { type: 'bearer' });
    expect(list.body.items.map((job: { id: string }) => job.id)).toEqual([answer.body.id]);
    expect(await finished(api, tenant, id)).toEqual(old);

    const client = new RunledgerClient({ baseUrl: api.url, apiKey: tenant.key });
    expect(await client.retry(id, 'start')).toMatchObject({ retryOf: id });
  }, 30_000);

  it('says what is wrong with a request', async () => {
    const { id } = await submit(api, tenant, FAILS);
    await finished(api, tenant, id);
    for (const [body, field, rule] of [
      [{ from: 'nonsense' }, 'from', 'unknownStep'],
      [{ from: 5 }, 'from', 'length'],
      [{ from: '' }, 'from', 'length'],
      [{ since: 'start' }, 'since', 'unknown'],
    ] as const) {
      const answer = await retry(id, body);
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
      expect(answer.body.errors[0]).toMatchObject({ field, rule });
    }
    expect((await retry(id, { from: 'nonsense' })).body.detail).toContain('its steps are first, second');
  }, 30_000);

  it('shows nothing of what belongs to somebody else, and needs the right to write', async () => {
    const { id } = await submit(api, tenant, FAILS);
    await finished(api, tenant, id);
    const [theirs, missing] = [await retry(id, {}, other), await retry(newId(), {}, other)];
    expect([theirs.status, theirs.text]).toEqual([404, missing.text]);
    const reader = { ...tenant, key: await api.keyWith(tenant, ['jobs:read']) };
    expect((await retry(id, {}, reader)).status).toBe(403);
    expect(await api.asOwner('SELECT 1 FROM runner_jobs WHERE retry_of_id = $1', [id])).toEqual([]);
  }, 30_000);
});
