import { startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

const RED = {
  status: 'unavailable',
  checks: {
    database: { status: 'ok' },
    queue: { status: 'ok' },
    workers: { status: 'unavailable', message: expect.stringMatching(/jobs wait and nothing starts them/) },
  },
};
/** Longer ago than the patience of this API. */
const LONG_AGO = "now() - interval '10 seconds'";

describe('readiness, when jobs wait', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  beforeAll(async () => {
    api = await startApi({ STALLED_AFTER_MS: '5000' });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    tenant = await api.tenant();
  });
  // Nothing of one test is left for the next to count.
  afterEach(async () => {
    await api.asOwner(
      `UPDATE runner_jobs SET status = 'FAILED', completed_at = now(), lease_owner = NULL, lease_expires_at = NULL, parked_at = NULL`,
    );
    await api.asOwner('DELETE FROM workers');
  });

  const ready = async (): Promise<number> => (await api.http().get('/health/ready')).status;

  /** @param columns an assignment list */
  const jobWith = async (columns: string): Promise<string> => {
    const { id } = await submit(api, tenant);
    await api.asOwner(`UPDATE runner_jobs SET ${columns} WHERE id = $1`, [id]);
    return id;
  };
  const waiting = (more = 'updated_at = now()'): Promise<string> => jobWith(`created_at = ${LONG_AGO}, ${more}`);
  const worker = (concurrency: number): Promise<unknown> =>
    api.asOwner(`INSERT INTO workers (id, host, concurrency) VALUES ('w', 'here', ${concurrency})`);

  it('is green without jobs and while a new one may still be picked up', async () => {
    expect(await ready()).toBe(200);
    await submit(api, tenant);
    expect(await ready()).toBe(200);
  });

  it.each([
    ['was never admitted', ''],
    ['was admitted, and the queue is dead', `, status = 'QUEUED', queued_at = ${LONG_AGO}, updated_at = ${LONG_AGO}`],
    [
      'lost its worker, and no other is there',
      `, status = 'RUNNING', started_at = ${LONG_AGO}, lease_owner = 'dead', lease_expires_at = ${LONG_AGO}`,
    ],
    [
      'waits between two phases',
      `, status = 'RUNNING', started_at = ${LONG_AGO}, offered_at = now(), updated_at = ${LONG_AGO}`,
    ],
  ])('turns red when a job %s: 503, Retry-After, and what to look at', async (_, columns) => {
    await waiting(`version = version${columns}`);
    const red = await api.http().get('/health/ready');
    expect([red.status, red.headers['retry-after'], red.body]).toEqual([503, '2', RED]);
    expect((await api.http().get('/health/live')).status).toBe(200);
  });

  it('stays green while something else was started just now', async () => {
    await waiting();
    await jobWith(
      `status = 'RUNNING', started_at = now(), lease_owner = 'w', lease_expires_at = now() + interval '1 hour'`,
    );
    expect(await ready()).toBe(200);
  });

  it('stays green while all workers have their hands full, however long', async () => {
    await waiting();
    await jobWith(
      `status = 'RUNNING', started_at = ${LONG_AGO}, lease_owner = 'w', lease_expires_at = now() + interval '1 hour'`,
    );
    await worker(1);
    expect(await ready()).toBe(200);
    // One that has a hand free should have taken it.
    await api.asOwner('UPDATE workers SET concurrency = 2');
    expect(await ready()).toBe(503);
  });

  it.each([
    ['their time', `hold = 'DELAY', run_at = now() + interval '1 hour'`],
    ['their time, and nobody has looked at them yet', `run_at = now() + interval '1 hour'`],
    ['a concurrency key', `hold = 'CONCURRENCY'`],
    ['a rate limit', `hold = 'RATE_LIMIT'`],
    ['a decision', `status = 'RUNNING', started_at = ${LONG_AGO}, updated_at = ${LONG_AGO}, parked_at = ${LONG_AGO}`],
  ])('stays green for jobs that wait on purpose: for %s', async (_, columns) => {
    await waiting(columns);
    expect(await ready()).toBe(200);
  });

  it('stays green for jobs beyond the limit of their workspace', async () => {
    await waiting();
    await jobWith(
      `status = 'RUNNING', started_at = ${LONG_AGO}, lease_owner = 'w', lease_expires_at = now() + interval '1 hour'`,
    );
    expect(await ready()).toBe(503);
    await api.asOwner('UPDATE workspaces SET max_running_jobs = 1 WHERE id = $1', [tenant.workspaceId]);
    expect(await ready()).toBe(200);
  });

  // The last one, because its worker stays.
  it('turns green by itself when a worker comes', async () => {
    const id = await waiting();
    expect(await ready()).toBe(503);
    await api.startWorker();
    while ((await ready()) === 503) await new Promise((resolve) => setTimeout(resolve, 50));
    const [job] = await api.asOwner('SELECT status FROM runner_jobs WHERE id = $1', [id]);
    expect(job?.['status']).not.toBe('PENDING');
  });
});
