import { commandJob, gateJob, startAdmissionSystem, type AdmissionSystem } from './admission-system.js';
import { expectRowsEqualFold } from './expect-fold.js';
import { until, type RunningWorker } from './runner-system.js';

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

describe('order and time', () => {
  let system: AdmissionSystem;
  beforeAll(async () => {
    system = await startAdmissionSystem({ RUNNER_CONCURRENCY: '2' });
  }, 30_000);
  const workers: RunningWorker[] = [];
  const start = async (options?: { serve: boolean }): Promise<void> => {
    workers.push(await system.startWorker(options));
  };
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    // What is left of a crowd.
    await system.sql(
      `UPDATE runner_jobs SET status = 'CANCELLED', completed_at = now(), lease_owner = NULL, lease_expires_at = NULL WHERE completed_at IS NULL`,
    );
  }, 30_000);
  afterAll(() => system.close(), 30_000);

  it('takes the best priority first, and of one priority the oldest', async () => {
    const priorities = [9, 5, 0, 5, 2];
    const ids = await system.submitTo(
      system.workspaceId,
      priorities.map((priority) => gateJob({ priority })),
    );
    await start();
    await system.allOver();
    const starts = await system.sql('SELECT id FROM runner_jobs ORDER BY started_at, queued_at, priority');
    const expected = [2, 4, 1, 3, 0].map((index) => ids[index]);
    const admitted = await system.sql('SELECT id FROM runner_jobs ORDER BY queued_at, priority, id');
    expect(admitted.map((row) => row['id'])).toEqual(expected);
    expect(starts[0]?.['id']).toBe(ids[2]);
  }, 30_000);

  it('puts a single job of one workspace before the hundreds of another', async () => {
    const crowd = await system.addWorkspace();
    await system.submitTo(
      crowd,
      Array.from({ length: 300 }, () => commandJob('sleep 0.3')),
    );
    await start();
    const before = (): Promise<number> => system.admitted(`workspace_id = '${crowd}'`).then((ids) => ids.length);
    await until(async () => ((await before()) > 8 ? true : null));
    const [jobId = ''] = await system.submitTo(system.workspaceId, [commandJob('true')]);
    const finished = await system.finished(jobId);
    const [row] = await system.sql(
      `SELECT count(*)::int AS n FROM runner_jobs WHERE workspace_id = $1 AND started_at > $2 AND started_at < $3`,
      [crowd, finished.job.createdAt, finished.job.startedAt],
    );
    // Two run at a time. Whoever is served in turn waits for one of them; whoever stands in a queue of four behind them, for three turns.
    expect(row?.['n']).toBeLessThanOrEqual(6);
    await system.sql(
      `UPDATE runner_jobs SET status = 'CANCELLED', completed_at = now(), parked_at = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE completed_at IS NULL`,
    );
  }, 60_000);

  it('never has more of a workspace under way than the workspace allows', async () => {
    const limited = await system.addWorkspace();
    await system.sql('UPDATE workspaces SET max_running_jobs = 1 WHERE id = $1', [limited]);
    await start();
    await start();
    await system.submitTo(
      limited,
      Array.from({ length: 8 }, () => gateJob()),
    );
    await system.allOver();
    const rows = await system.sql(
      'SELECT queued_at, completed_at FROM runner_jobs WHERE workspace_id = $1 ORDER BY queued_at',
      [limited],
    );
    const times = rows.map(
      (row) => [(row['queued_at'] as Date).getTime(), (row['completed_at'] as Date).getTime()] as const,
    );
    expect(times).toHaveLength(8);
    for (const [index, [queuedAt]] of times.entries())
      expect(queuedAt).toBeGreaterThanOrEqual(times[index - 1]?.[1] ?? 0);
  }, 60_000);

  it('starts a delayed job at its time', async () => {
    await start();
    const ids = await system.submitTo(
      system.workspaceId,
      [700, 1_300].map((ms) => gateJob({ runAt: inMs(ms) })),
    );
    for (const id of ids) {
      const { job } = await system.finished(id);
      const late = Date.parse(job.queuedAt ?? '') - Date.parse(job.runAt ?? '');
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(1_000);
    }
  }, 30_000);

  it('ends jobs that were not started in time, whether they wait or are on the queue', async () => {
    await start({ serve: false });
    const expiresAt = inMs(900);
    const jobs = Array.from({ length: 8 }, () => gateJob({ expiresAt }));
    const ids = await system.submitTo(system.workspaceId, [...jobs, gateJob({ expiresAt, runAt: inMs(600) })]);
    for (const id of ids) {
      const finished = await system.finished(id);
      expect(finished.job).toMatchObject({ status: 'FAILED', error: { code: 'EXPIRED' }, startedAt: null });
      expect(Date.parse(finished.job.completedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(expiresAt));
      expectRowsEqualFold(finished);
    }
    // The queue of a worker of two has four places: some were on it, some were not.
    const queued = await system.sql('SELECT queued_at IS NULL AS waited FROM runner_jobs WHERE id = ANY ($1)', [ids]);
    expect(new Set(queued.map((row) => row['waited']))).toEqual(new Set([true, false]));
  }, 30_000);

  it('has one winner when a job is admitted and expires at the same moment', async () => {
    await start();
    await start();
    const expiresAt = inMs(400);
    const ids = await system.submitTo(
      system.workspaceId,
      Array.from({ length: 60 }, () => gateJob({ expiresAt, runAt: inMs(390) })),
    );
    for (const id of ids) {
      const finished = await system.finished(id);
      const ends = finished.types.filter((type) => type === 'job.completed' || type === 'job.failed');
      expect(ends).toHaveLength(1);
      expect(finished.job.status === 'COMPLETED').toBe(finished.types.includes('job.started'));
      expectRowsEqualFold(finished);
    }
  }, 60_000);
});
