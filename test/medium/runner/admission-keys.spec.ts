import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandJob, gateJob, startAdmissionSystem, type AdmissionSystem } from './admission-system.js';
import { expectRowsEqualFold } from './expect-fold.js';
import { until } from './runner-system.js';

const WAITING = `SELECT count(*)::int AS n FROM runner_jobs WHERE status = 'PENDING' AND hold = $1`;
const LINES = 'SELECT kind, key FROM admission_keys';

describe('keys', () => {
  let system: AdmissionSystem;
  beforeAll(async () => {
    system = await startAdmissionSystem({ RUNNER_CONCURRENCY: '10' });
    await system.startWorker();
    await system.startWorker();
  }, 30_000);
  afterAll(() => system.close(), 30_000);

  const held = async (hold: string): Promise<number> => Number((await system.sql(WAITING, [hold]))[0]?.['n']);
  const waits = (hold: string, count: number): Promise<unknown> =>
    until(async () => ((await held(hold)) === count ? true : null));
  const isRunning = (jobId: string): Promise<unknown> =>
    until(async () => ((await system.statusOf(jobId)) === 'RUNNING' ? true : null));
  const key = (name: string, onConflict: string, limit = 1): object => ({
    concurrency: { key: name, limit, onConflict },
  });

  it('lets no more run at a time than the limit of a concurrency key, whichever of two workers admits', async () => {
    const marks = join(system.dataDir, 'overlaps');
    const job = commandJob(`echo + >> ${marks}; sleep 0.15; echo - >> ${marks}`, key('three', 'queue', 3));
    await system.submitTo(
      system.workspaceId,
      Array.from({ length: 20 }, () => job),
    );
    await system.allOver();
    const signs = (await readFile(marks, 'utf8')).trim().split('\n');
    let running = 0;
    const overlaps = signs.map((sign) => (running += sign === '+' ? 1 : -1));
    expect(signs).toHaveLength(40);
    expect(Math.max(...overlaps)).toBeLessThanOrEqual(3);
    const rows = await system.sql(`SELECT queued_at, completed_at FROM runner_jobs WHERE concurrency_key = 'three'`);
    const times = rows.map((row) => [row['queued_at'] as Date, row['completed_at'] as Date] as const);
    const atOnce = times.map(([at]) => times.filter(([from, to]) => from <= at && at < to).length);
    // No more, and no fewer where there are enough.
    expect(Math.max(...atOnce)).toBe(3);
    expect(await system.sql(LINES)).toEqual([]);
  }, 60_000);

  it('keeps those who wait in the order of priority and age', async () => {
    const [holder = ''] = await system.submitTo(system.workspaceId, [commandJob('sleep 1', key('order', 'queue'))]);
    await isRunning(holder);
    const ids = await system.submitTo(
      system.workspaceId,
      [7, 3, 3, 0].map((priority) => gateJob({ ...key('order', 'queue'), priority })),
    );
    await waits('CONCURRENCY', 4);
    await system.allOver();
    const order = await system.admitted(`concurrency_key = 'order'`);
    expect(order).toEqual([holder, ids[3], ids[1], ids[2], ids[0]]);
  }, 30_000);

  it('ends a job that is to be skipped without running it, and says because of whom', async () => {
    const [holder = ''] = await system.submitTo(system.workspaceId, [commandJob('sleep 1', key('once', 'queue'))]);
    await isRunning(holder);
    const [second = ''] = await system.submitTo(system.workspaceId, [gateJob(key('once', 'skip'))]);
    const finished = await system.finished(second);
    expect(finished.job.status).toBe('CANCELLED');
    expect(finished.types).not.toContain('job.queued');
    const request = finished.events.find((event) => event.type === 'job.cancel_requested');
    expect(request).toMatchObject({ actorType: 'system', actorId: 'admission' });
    expect(request?.payload?.['reason']).toBe(`skipped: the concurrency key "once" is held by job ${holder}`);
    expectRowsEqualFold(finished);
    expect((await system.finished(holder)).job.status).toBe('COMPLETED');
  }, 30_000);

  it('cancels the job that runs and then runs the one that wants its key', async () => {
    const [holder = ''] = await system.submitTo(system.workspaceId, [commandJob('sleep 30', key('preview', 'queue'))]);
    await isRunning(holder);
    const [second = ''] = await system.submitTo(system.workspaceId, [gateJob(key('preview', 'cancel-running'))]);
    const [first, next] = [await system.finished(holder), await system.finished(second)];
    expect([first.job.status, next.job.status]).toEqual(['CANCELLED', 'COMPLETED']);
    expect(first.events.find((event) => event.type === 'job.cancel_requested')?.payload?.['reason']).toBe(
      `the concurrency key "preview" is wanted by job ${second}`,
    );
    expect(Date.parse(next.job.queuedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(first.job.completedAt ?? ''));
    expectRowsEqualFold(first);
  }, 30_000);

  it('never starts more in a period than the rate limit, and starts the next as soon as it may', async () => {
    const job = gateJob({ rateLimit: { key: 'calls', limit: 3, periodSeconds: 1 } });
    await system.submitTo(
      system.workspaceId,
      Array.from({ length: 10 }, () => job),
    );
    await system.allOver();
    const rows = await system.sql(
      `SELECT queued_at FROM runner_jobs WHERE rate_limit_key = 'calls' ORDER BY queued_at`,
    );
    const starts = rows.map((row) => (row['queued_at'] as Date).getTime());
    expect(starts).toHaveLength(10);
    for (const [index, start] of starts.entries()) {
      const third = starts[index + 3];
      if (third !== undefined) expect(third - start).toBeGreaterThanOrEqual(1_000);
    }
    // Three full periods at least; a look every two seconds would have made it six.
    expect((starts.at(-1) ?? 0) - (starts[0] ?? 0)).toBeLessThan(4_500);
    expect(await system.sql(LINES)).toEqual([]);
  }, 30_000);
});
