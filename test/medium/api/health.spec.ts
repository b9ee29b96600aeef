import { describeWithRedis, startRedis, type RedisServer } from '#testing';
import { HELLO, startApi, type ApiSystem, type Tenant } from './api-system.js';
import { openProxy, type TcpProxy } from './tcp-proxy.js';

/** Asks until the readiness has this status. */
async function readiness(
  api: ApiSystem,
  status: number,
): Promise<{
  body: { checks: Record<string, { status: string; message?: string }> };
  headers: Record<string, string>;
}> {
  for (const deadline = Date.now() + 15_000; ;) {
    const answer = await api.http().get('/health/ready');
    if (answer.status === status) return answer;
    if (Date.now() > deadline) throw new Error(`/health/ready stays at ${answer.status}: ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('health, when the database goes away', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let proxy: TcpProxy;
  beforeAll(async () => {
    api = await startApi({}, async (url) => {
      proxy = await openProxy(url);
      return proxy.url;
    });
    tenant = await api.tenant();
  });
  afterAll(async () => {
    await api.close();
    await proxy.close();
  });

  it('turns red, answers 503 with Retry-After, and recovers by itself', async () => {
    expect((await readiness(api, 200)).body).toEqual({
      status: 'ok',
      checks: { database: { status: 'ok' }, queue: { status: 'ok' }, workers: { status: 'ok' } },
    });
    await proxy.cut();
    const red = await readiness(api, 503);
    expect(red.headers['retry-after']).toBe('2');
    expect(red.body.checks['database']).toEqual({ status: 'unavailable', message: expect.stringMatching(/database/) });
    expect((await api.http().get('/health/live')).status).toBe(200);
    expect((await api.http().get('/metrics')).status).toBe(200);
    const refused = await api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).send(HELLO);
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([
      503,
      'DATABASE_UNAVAILABLE',
      '2',
    ]);
    for (const { text } of [refused, await api.http().get('/health/ready')])
      expect(text).not.toMatch(/127\.0\.0\.1|ECONN/);
    await proxy.restore();
    await readiness(api, 200);
    expect((await api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).send(HELLO)).status).toBe(201);
  });

  it('counts requests by route and jobs by status, for Prometheus', async () => {
    await api.http().get(tenant.jobs).auth(tenant.key, { type: 'bearer' }).expect(200);
    const { text, headers } = await api.http().get('/metrics').expect(200);
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(text).toMatch(
      /runledger_http_request_duration_seconds_count\{method="GET",route="\/v1\/workspaces\/:workspaceId\/runner-jobs",status="200"\} [1-9]/,
    );
    expect(text).toMatch(/runledger_jobs\{status="PENDING"\} 1\n/);
    expect(text).toMatch(/runledger_jobs\{status="RUNNING"\} 0\n/);
    expect(text).toMatch(/runledger_queue_messages\{queue="runner",state="waiting"\} 0\n/);
    expect(text).toContain('process_cpu_seconds_total');
    expect(text).not.toContain(tenant.workspaceId);
  });
});

describeWithRedis('health, when Redis goes away', () => {
  let redis: RedisServer;
  let api: ApiSystem;
  beforeAll(async () => {
    redis = await startRedis();
    api = await startApi({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await api.close();
    await redis.stop();
  });

  it('turns red while jobs are still accepted, and recovers by itself', async () => {
    await readiness(api, 200);
    const tenant = await api.tenant();
    await redis.kill();
    const red = await readiness(api, 503);
    expect(red.body.checks).toEqual({
      database: { status: 'ok' },
      queue: { status: 'unavailable', message: expect.stringMatching(/queue/) },
      workers: { status: 'ok' },
    });
    expect((await api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).send(HELLO)).status).toBe(201);
    await redis.restart();
    await readiness(api, 200);
  });
});

describe('the queue board', () => {
  let api: ApiSystem;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('opens for a key with the scope admin only, given as a password', async () => {
    const tenant = await api.tenant();
    const reader = await api.keyWith(tenant, ['jobs:read']);
    for (const path of ['/admin/queues', '/admin/queues/api/queues', '/admin/queues/static/js/nothing.js']) {
      for (const request of [
        api.http().get(path),
        api.http().get(path).auth('me', 'nonsense'),
        api.http().get(path).auth('me', reader),
        api.http().get(path).auth(tenant.key, { type: 'bearer' }),
      ]) {
        const refused = await request;
        expect([path, refused.status, refused.headers['www-authenticate']]).toEqual([
          path,
          401,
          'Basic realm="runledger", charset="UTF-8"',
        ]);
        expect(refused.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      }
    }
    const page = await api.http().get('/admin/queues').auth('anybody', tenant.key);
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('Runledger queues')]);
    expect((await api.http().get('/admin/queues/api/queues').auth('', tenant.key)).body.queues[0].name).toBe('runner');
  });
});
