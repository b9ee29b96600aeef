import { startRunnerSystem, until, type Finished, type RunnerSystem } from '../runner/runner-system.js';
import { CheckpointStore } from '../../../libs/runner/src/checkpoints/checkpoint-store.js';
import { CheckpointSweep } from '../../../libs/runner/src/checkpoints/checkpoint-sweep.js';
import { Database } from '#database';

describe('the workdir of a job', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem({ CHECKPOINT_MAX_MB: '1', HOST_NAME: 'here' });
    await system.startWorker();
  });
  afterAll(() => system.close());

  const step = (key: string, phase: string, run: string): object => ({ key, phase, type: 'COMMAND', run });
  const job = (...steps: object[]): object => ({ name: 'keeps', steps });
  const kept = ({ events }: Finished) =>
    events.filter(({ type }) => type.startsWith('checkpoint.')).map(({ type, payload }) => ({ type, ...payload }));

  it('is kept at the end of each phase that changed it, and only then', async () => {
    const finished = await system.run(
      job(
        step('makes', 'SETUP', 'echo a > a; mkfifo pipe'),
        step('looks', 'EXECUTION', 'cat a; touch a'),
        step('changes', 'VALIDATION', 'echo b > a'),
        step('tidies', 'CLEANUP', 'rm a'),
      ),
    );
    expect(finished.job.status).toBe('COMPLETED');
    expect(kept(finished)).toEqual([
      expect.objectContaining({ type: 'checkpoint.created', phase: 'SETUP', files: 1, skipped: ['pipe'] }),
      expect.objectContaining({ type: 'checkpoint.created', phase: 'VALIDATION', files: 1 }),
    ]);
    // "touch" alone gave an archive of the same tree, of which nothing is left.
    expect(await system.sql('SELECT 1 FROM checkpoints WHERE job_id = $1', [finished.job.id])).toEqual([]);
  }, 30_000);

  it('is not kept where nobody can need it: no commands, nothing written, the last phase of a job that is well', async () => {
    const steps = [
      step('a', 'SETUP', 'true'),
      { key: 'b', type: 'GATE', condition: 'true' },
      step('c', 'VALIDATION', 'echo c > c'),
    ];
    expect(kept(await system.run(job(...steps)))).toEqual([]);
  }, 30_000);

  it('is kept when the last phase fails', async () => {
    const finished = await system.run(job(step('a', 'VALIDATION', 'echo a > a; exit 1')));
    expect(kept(finished)).toEqual([expect.objectContaining({ type: 'checkpoint.created', phase: 'VALIDATION' })]);
  }, 30_000);

  it('is not kept when it is too large, which the ledger says; the next phase may be small enough again', async () => {
    const finished = await system.run(
      job(
        step('large', 'SETUP', 'head -c 1500000 /dev/zero > large'),
        step('small', 'EXECUTION', 'rm large; echo a > a'),
        step('fails', 'VALIDATION', 'exit 1'),
      ),
    );
    expect(kept(finished)).toEqual([
      {
        type: 'checkpoint.skipped',
        phase: 'SETUP',
        reason: 'TOO_LARGE',
        message: expect.stringContaining('at most 1 MiB are kept (CHECKPOINT_MAX_MB)') as string,
      },
      expect.objectContaining({ type: 'checkpoint.created', phase: 'EXECUTION' }),
    ]);
  }, 30_000);

  it('is not kept, and the job goes on, when the disk refuses', async () => {
    const { chmod, mkdir, rm, writeFile } = await import('node:fs/promises');
    const folder = `${system.dataDir}/blobs/${system.workspaceId}/checkpoints`;
    await mkdir(`${folder}/..`, { recursive: true });
    await rm(folder, { recursive: true, force: true });
    await writeFile(folder, 'a file where the folder should be');
    await chmod(folder, 0o400);
    const finished = await system.run(job(step('a', 'SETUP', 'echo a > a'), step('b', 'EXECUTION', 'cat a')));
    await rm(folder);
    expect(finished.job.status).toBe('COMPLETED');
    expect(kept(finished)).toEqual([
      expect.objectContaining({ type: 'checkpoint.skipped', phase: 'SETUP', reason: 'STORAGE' }),
    ]);
  }, 30_000);

  it('is removed some time after the end of a job that failed, by workers that have its disk', async () => {
    const failed = await system.run(job(step('a', 'SETUP', 'echo a > a'), step('b', 'EXECUTION', 'exit 1')));
    const [{ ref } = { ref: null }] = kept(failed) as { ref?: unknown }[];
    const rows = () => system.sql('SELECT host, due_at FROM checkpoints WHERE job_id = $1', [failed.job.id]);
    const database = new Database({ url: system.database.workerUrl, role: 'worker', poolSize: 2 });
    const sweepOf = (host: string, keepMs: number): CheckpointSweep =>
      new CheckpointSweep(database, new CheckpointStore(database, system.blobs, { host, shared: false }), keepMs);
    try {
      await sweepOf('here', 3_600_000).sweep();
      expect(await rows()).toEqual([
        { host: 'here', due_at: new Date(Date.parse(failed.job.completedAt ?? '') + 3_600_000) },
      ]);
      await system.sql(`UPDATE checkpoints SET due_at = now() - interval '1 second' WHERE job_id = $1`, [
        failed.job.id,
      ]);
      await sweepOf('elsewhere', 3_600_000).sweep();
      expect(await rows()).toHaveLength(1);
      expect(await system.blobs.size(String(ref))).toBeGreaterThan(0);
      await sweepOf('here', 3_600_000).sweep();
      expect(await rows()).toEqual([]);
      expect(await system.blobs.size(String(ref))).toBeNull();
    } finally {
      await database.close();
    }
    // A job in flight keeps what it has.
    const jobId = await system.submit(job(step('a', 'SETUP', 'echo a > a'), step('b', 'EXECUTION', 'sleep 3')));
    const mine = () => system.sql('SELECT due_at FROM checkpoints WHERE job_id = $1', [jobId]);
    await until(async () => ((await mine()).length > 0 ? true : null));
    expect(await mine()).toEqual([{ due_at: null }]);
  }, 30_000);
});
