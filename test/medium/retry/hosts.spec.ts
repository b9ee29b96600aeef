import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectRowsEqualFold } from '../runner/expect-fold.js';
import { startRunnerSystem, type Finished, type RunnerSystem, type RunningWorker } from '../runner/runner-system.js';

/** Two "hosts" on one machine: workers with folders and host names of their own. */
describe.each([
  ['blobs that all hosts see', true],
  ['blobs of each host', false],
])('a job of several phases on two hosts, with %s', (_, shared) => {
  let system: RunnerSystem;
  let folder: string;
  beforeEach(async () => {
    // Every phase is handed to the queue, for whoever takes it.
    system = await startRunnerSystem({ RUNNER_HANDOVER_AFTER_MS: '0' });
    folder = await mkdtemp(join(tmpdir(), 'runledger-hosts-'));
  });
  afterEach(async () => {
    await system.close();
    await rm(folder, { recursive: true, force: true });
  });

  const host = (name: string): Promise<RunningWorker> => {
    const blobs = shared ? { BLOB_DIR: join(folder, 'blobs'), STORAGE_SHARED: 'true' } : {};
    return system.startWorker({ env: { HOST_NAME: name, DATA_DIR: join(folder, name), ...blobs } });
  };
  /** As if nobody of that host had been seen for a long time. */
  const gone = (name: string) =>
    system.sql(`UPDATE worker_hosts SET seen_at = now() - interval '1 day' WHERE name = $1`, [name]);
  const WHERE = 'echo "at=$PWD" >> "$RUNLEDGER_OUTPUT"';
  const step = (key: string, phase: string, run: string): object => ({
    key,
    phase,
    type: 'COMMAND',
    run: `${WHERE}; ${run}`,
  });
  const phases = (verdict = 'true'): object => ({
    name: 'wanders',
    steps: [
      step(
        'fetch',
        'SETUP',
        'mkdir -p src; echo hello > src/a; chmod 750 src; until test -e "$OUTSIDE/go"; do sleep 0.05; done',
      ),
      step('build', 'EXECUTION', 'tr a-z A-Z < src/a > built'),
      step('check', 'VALIDATION', `test "$(cat built)" = HELLO; ${verdict}`),
    ],
    env: { OUTSIDE: folder },
  });
  const at = (finished: Finished, key: string): string =>
    String(finished.step(key).outputs?.['at']).split('/').at(-3) ?? '';
  const restorations = ({ events }: Finished) => events.filter((event) => event.type === 'checkpoint.restored');
  const reached = (jobId: string, key: string) =>
    system.reached(
      jobId,
      `EXISTS (SELECT FROM job_steps WHERE job_id = runner_jobs.id AND key = '${key}' AND status = 'RUNNING')`,
    );
  /** A job whose first phase ran on host A, which has stopped then. */
  const leftByA = async (verdict?: string): Promise<string> => {
    const first = await host('A');
    const jobId = await system.submit(phases(verdict));
    await reached(jobId, 'fetch');
    const stopped = first.stop(10_000);
    await writeFile(join(folder, 'go'), '');
    await stopped;
    return jobId;
  };
  const unclaimed = async (jobId: string): Promise<void> => {
    // The reconciler has offered it again, and it was passed on again.
    const [{ offers } = { offers: 0 }] = await system.sql('SELECT offers FROM runner_jobs WHERE id = $1', [jobId]);
    await system.reached(jobId, `offers > ${Number(offers)}`);
    expect(await system.sql('SELECT status, lease_owner FROM runner_jobs WHERE id = $1', [jobId])).toEqual([
      { status: 'RUNNING', lease_owner: null },
    ]);
  };

  it(`${shared ? 'goes on with whoever takes it' : 'stays where its workdir is'}, and a retry finds its checkpoint`, async () => {
    await writeFile(join(folder, 'go'), '');
    await Promise.all([host('A'), host('B')]);
    const jobs = await Promise.all([1, 2, 3, 4].map(() => system.submit(phases('test -e "$OUTSIDE/fixed"'))));
    const finished = await Promise.all(jobs.map((jobId) => system.finished(jobId)));
    for (const job of finished) {
      expect(job.job).toMatchObject({ status: 'FAILED', error: { code: 'COMMAND_FAILED' } });
      const places = new Set(['fetch', 'build', 'check'].map((key) => at(job, key)));
      if (!shared) expect(places.size).toBe(1);
      // It was restored exactly where it had not been before, or not last.
      const moves = [at(job, 'fetch') !== at(job, 'build'), at(job, 'build') !== at(job, 'check')].filter(
        Boolean,
      ).length;
      expect(restorations(job)).toHaveLength(moves);
      expectRowsEqualFold(job);
    }
    await writeFile(join(folder, 'fixed'), '');
    const retries = await Promise.all(jobs.map((jobId) => system.retry(jobId)));
    for (const [index, jobId] of retries.entries()) {
      const retried = await system.finished(jobId);
      expect(retried.job.status).toBe('COMPLETED');
      expect(retried.step('build')).toMatchObject({ status: 'SKIPPED', skipReason: 'REUSED' });
      const old = finished[index];
      if (!shared && old !== undefined) expect(at(retried, 'check')).toBe(at(old, 'check'));
      expectRowsEqualFold(retried);
    }
  }, 120_000);

  it(`${shared ? 'goes on elsewhere' : 'waits for its host'} when that has stopped`, async () => {
    const jobId = await leftByA();
    await host('B');
    if (!shared) {
      await unclaimed(jobId);
      await host('A');
    }
    const finished = await system.finished(jobId);
    expect(finished.job.status).toBe('COMPLETED');
    expect(['fetch', 'build'].map((key) => at(finished, key))).toEqual(shared ? ['A', 'B'] : ['A', 'A']);
    if (shared) expect(restorations(finished)[0]?.payload).toMatchObject({ jobId, phase: 'SETUP' });
    else expect(restorations(finished)).toEqual([]);
    expectRowsEqualFold(finished);
  }, 120_000);

  if (!shared) {
    it('fails when its host is gone, naming it; a retry then runs everything on another', async () => {
      const jobId = await leftByA();
      await host('B');
      await unclaimed(jobId);
      await gone('A');
      const finished = await system.finished(jobId);
      expect(finished.job).toMatchObject({ status: 'FAILED', error: { code: 'WORKDIR_MISSING' } });
      expect(finished.job.error?.message).toMatch(/host "A".*not there any more.*runledger retry/s);
      const retried = await system.finished(await system.retry(jobId));
      expect(retried.job.status).toBe('COMPLETED');
      expect(at(retried, 'build')).toBe('B');
    }, 120_000);
  } else {
    it('waits for its host when that stopped in the middle of a phase, and fails when it is gone', async () => {
      const first = await host('A');
      const jobId = await system.submit({
        name: 'cut short',
        env: { OUTSIDE: folder },
        steps: [
          step('fetch', 'SETUP', 'echo hello > a'),
          step('one', 'EXECUTION', 'echo one > b'),
          step('two', 'EXECUTION', 'test -e "$OUTSIDE/go" || sleep 60'),
        ],
      });
      await reached(jobId, 'two');
      await first.stop(0);
      await host('B');
      await unclaimed(jobId);
      await gone('A');
      const finished = await system.finished(jobId);
      expect(finished.job.error).toMatchObject({ code: 'WORKDIR_MISSING' });
      expect(finished.job.error?.message).toContain('step "one" worked in it after it was last kept');
      // What was kept of it is of use to a retry.
      await writeFile(join(folder, 'go'), '');
      const retried = await system.finished(await system.retry(jobId));
      expect(retried.job.status).toBe('COMPLETED');
      expect(['fetch', 'one', 'two'].map((key) => retried.step(key).skipReason)).toEqual(['REUSED', null, null]);
      expectRowsEqualFold(retried);
    }, 120_000);

    it('starts the first phase anew when its host is gone in the middle of its first command', async () => {
      const first = await host('A');
      const jobId = await system.submit(phases());
      await reached(jobId, 'fetch');
      await first.stop(0);
      await gone('A');
      await writeFile(join(folder, 'go'), '');
      await host('B');
      const finished = await system.finished(jobId);
      expect(finished.job.status).toBe('COMPLETED');
      expect(at(finished, 'fetch')).toBe('B');
    }, 120_000);
  }
});
