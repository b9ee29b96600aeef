import { Database } from '#database';
import { AdmissionPass, FIRST_WORKSPACE } from '#runner';
import { gateJob, startAdmissionSystem, type AdmissionSystem } from './admission-system.js';
import { until } from './runner-system.js';

const HELD = 10_000;
const RELEASES = 20;

describe('lines', () => {
  let system: AdmissionSystem;
  beforeAll(async () => {
    system = await startAdmissionSystem();
  }, 30_000);
  afterAll(() => system.close(), 30_000);

  const end = (where: string): Promise<unknown> =>
    system.sql(`UPDATE runner_jobs SET status = 'COMPLETED', completed_at = now() WHERE ${where}`);
  const readOfLine = async (): Promise<number> => {
    const rows = await system.sql(
      `SELECT idx_tup_read::int AS n FROM pg_stat_user_indexes WHERE indexrelname = 'runner_jobs_held_concurrency_idx'`,
    );
    return Number(rows[0]?.['n']);
  };

  it(`releases those who fit from a line of ${HELD} without reading the others`, async () => {
    await system.sql(
      `INSERT INTO runner_jobs (id, workspace_id, name, definition, created_by_type, created_by_id, concurrency_key, concurrency_limit, concurrency_on_conflict, hold)
       SELECT gen_random_uuid(), $1, 'held', '{}', 'system', 'test', 'long', 1, 'queue', 'CONCURRENCY' FROM generate_series(1, ${HELD})`,
      [system.workspaceId],
    );
    await system.sql(`INSERT INTO admission_keys VALUES ($1, 'CONCURRENCY', 'long', now() + interval '1 hour')`, [
      system.workspaceId,
    ]);
    await system.sql('VACUUM ANALYZE runner_jobs');
    const line = { workspaceId: system.workspaceId, kind: 'CONCURRENCY', key: 'long' } as const;
    const before = await readOfLine();
    const database = new Database({ url: system.database.workerUrl, role: 'worker', poolSize: 1 });
    const pass = new AdmissionPass(database, { type: 'worker', id: 'test' });
    for (let release = 0; release < RELEASES; release += 1) {
      const options = { window: 10, after: FIRST_WORKSPACE, lines: [line], dueLines: false };
      expect((await pass.run(options)).admitted).toHaveLength(1);
      expect((await pass.run(options)).admitted).toHaveLength(0);
      await end(`status = 'QUEUED'`);
    }
    await database.close();
    // Statistics are written when the connection ends.
    const read = await until(async () => ((await readOfLine()) > before ? (await readOfLine()) - before : null));
    expect(read).toBeLessThan(RELEASES * 2 * 50);
    await end('completed_at IS NULL');
    await system.sql('DELETE FROM admission_keys');
  }, 60_000);

  it('never has more on the queue than there are places, however many passes run at once', async () => {
    const workspaces = await Promise.all([1, 2, 3, 4].map(() => system.addWorkspace()));
    for (const id of workspaces)
      await system.submitTo(
        id,
        Array.from({ length: 20 }, () => gateJob()),
      );
    const database = new Database({ url: system.database.workerUrl, role: 'worker', poolSize: 4 });
    const pass = new AdmissionPass(database, { type: 'worker', id: 'test' });
    // Each begins with another workspace, as those of different workers do.
    const all = workspaces.map((after) => pass.run({ window: 1, after, lines: [], dueLines: false }));
    await Promise.all(all);
    for (let round = 0; round < 15; round += 1) {
      await end(`status = 'QUEUED'`);
      const results = await Promise.all(
        workspaces.map((after) => pass.run({ window: 1, after, lines: [], dueLines: false })),
      );
      expect(results.map(({ admitted }) => admitted.length).reduce((sum, count) => sum + count)).toBe(1);
    }
    await database.close();
    await end('completed_at IS NULL');
  }, 60_000);

  it('are looked at again although the worker of the holder died before it could say that the job is over', async () => {
    const worker = await system.startWorker({ serve: false });
    const job = gateJob({ concurrency: { key: 'dead', limit: 1, onConflict: 'queue' } });
    const ids = await system.submitTo(system.workspaceId, [job, job]);
    const states = async (): Promise<string> => (await Promise.all(ids.map((id) => system.statusOf(id)))).join(' ');
    const become = (expected: string): Promise<unknown> =>
      until(async () => ((await states()) === expected ? true : null));
    await become('QUEUED PENDING');
    await end(`id = '${ids[0] ?? ''}'`);
    const endedAt = Date.now();
    await become('COMPLETED QUEUED');
    expect(Date.now() - endedAt).toBeLessThan(9_000);
    await worker.stop();
  }, 30_000);

  it('has two workers on one queue count as two', async () => {
    await end('completed_at IS NULL');
    const workers = [await system.startWorker({ serve: false }), await system.startWorker({ serve: false })];
    const together = 'SELECT sum(concurrency)::int AS n FROM workers';
    await until(async () => ((await system.sql(together))[0]?.['n'] === 40 ? true : null));
    await system.submitTo(
      system.workspaceId,
      Array.from({ length: 120 }, () => gateJob()),
    );
    const queued = `SELECT count(*)::int AS n FROM runner_jobs WHERE status = 'QUEUED'`;
    await until(async () => ((await system.sql(queued))[0]?.['n'] === 80 ? true : null));
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(await system.sql('SELECT id FROM workers')).toEqual([]);
  }, 30_000);
});
