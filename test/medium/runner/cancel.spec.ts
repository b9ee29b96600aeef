import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until, canceller, startRunnerSystem, type Finished, type RunnerSystem } from './runner-system.js';
import { expectWhole } from './expect-fold.js';

/** A job whose middle step runs until it is told to end, and that cleans up after itself. */
function endless(run: string, more: object = {}): object {
  return {
    name: 'endless',
    ...more,
    steps: [
      { key: 'before', phase: 'SETUP', type: 'COMMAND', run: 'echo before' },
      { key: 'endless', type: 'COMMAND', run },
      { key: 'after', type: 'COMMAND', run: 'echo never' },
      { key: 'check', phase: 'VALIDATION', type: 'GATE', condition: 'true' },
      { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run: 'sleep 0.3; echo "done=yes" >> "$RUNLEDGER_OUTPUT"' },
    ],
  };
}

const RUNNING = `EXISTS (SELECT FROM sandbox_jobs s JOIN job_steps st ON st.id = s.step_id WHERE s.job_id = $1 AND st.key = 'endless' AND s.status = 'running')`;

function statuses({ job }: Finished): string[][] {
  return job.steps.map(({ key, status, skipReason, error }) => [key, status, skipReason ?? error?.code ?? '']);
}

function receipt({ events }: Finished) {
  const [request] = events.filter(({ type }) => type === 'job.cancel_requested');
  const [receipt] = events.filter(({ type }) => type === 'job.cancelled');
  return { request, receipt, payload: receipt?.payload ?? {} };
}

describe('a job that is cancelled', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem({ SHUTDOWN_GRACE_MS: '600' });
  });
  afterAll(() => system.close());

  it('has what runs stopped by SIGTERM, what remains skipped, CLEANUP run, and a receipt', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(endless('sleep 300'));
    await system.reached(jobId, RUNNING);
    expect(await system.cancel(jobId, 'the wrong branch')).toBe('RUNNING');
    const finished = await system.finished(jobId);
    await worker.stop();

    expect(finished.job.status).toBe('CANCELLED');
    expect(statuses(finished)).toEqual([
      ['before', 'COMPLETED', ''],
      ['endless', 'FAILED', 'CANCELLED'],
      ['after', 'SKIPPED', 'CANCELLED'],
      ['check', 'SKIPPED', 'CANCELLED'],
      ['tidy', 'COMPLETED', ''],
    ]);
    expect(finished.step('tidy').outputs).toEqual({ done: 'yes' });
    const { request, payload } = receipt(finished);
    expect(request).toMatchObject({
      actorType: 'api_key',
      actorId: canceller.id,
      payload: { reason: 'the wrong branch' },
    });
    expect(payload).toMatchObject({
      reason: 'the wrong branch',
      requestedAt: request?.timestamp,
      requestedBy: { type: 'api_key', id: canceller.id },
      stopped: [{ stepKey: 'endless', attempt: 1, signals: ['SIGTERM'] }],
    });
    const exitAt = Date.parse(String(payload['lastProcessExitAt']));
    expect(exitAt).toBeGreaterThanOrEqual(Date.parse(request?.timestamp ?? ''));
    expect(exitAt - Date.parse(request?.timestamp ?? '')).toBeLessThan(5_000);
    expectWhole(finished);
    await expect(access(join(system.dataDir, 'workdirs', jobId))).rejects.toThrow('ENOENT');
  }, 30_000);

  it('has a command that does not obey killed after the grace period', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(endless(`trap '' TERM; while :; do sleep 0.1; done`));
    await system.reached(jobId, RUNNING);
    await system.cancel(jobId);
    const finished = await system.finished(jobId);
    await worker.stop();
    const { payload } = receipt(finished);
    expect(payload['stopped']).toMatchObject([{ signals: ['SIGTERM', 'SIGKILL'] }]);
    expect(payload['reason']).toBeNull();
    expectWhole(finished);
  }, 30_000);

  it('lets CLEANUP run on when it is asked for then, and ends CANCELLED all the same', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(endless('true'));
    await system.reached(
      jobId,
      `EXISTS (SELECT FROM job_steps WHERE job_id = $1 AND key = 'tidy' AND status = 'RUNNING')`,
    );
    await system.cancel(jobId);
    const finished = await system.finished(jobId);
    await worker.stop();
    expect(finished.job.status).toBe('CANCELLED');
    expect(finished.step('tidy')).toMatchObject({ status: 'COMPLETED', outputs: { done: 'yes' } });
    expect(receipt(finished).payload).toMatchObject({ stopped: [], lastProcessExitAt: null });
    expectWhole(finished);
  }, 30_000);

  it.each(['PENDING', 'QUEUED'])(
    'never starts when it was %s',
    async (status) => {
      const idle = status === 'QUEUED' ? await system.startWorker({ serve: false }) : null;
      const jobId = await system.submit(endless('true'));
      await system.reached(jobId, `status = '${status}'`);
      expect(await system.cancel(jobId)).toBe(status);
      await idle?.stop();
      // The worker was not there when the request was made: it finds it by itself.
      const worker = await system.startWorker({ serve: false });
      const finished = await system.finished(jobId);
      await worker.stop();
      expect(finished.job).toMatchObject({ status: 'CANCELLED', startedAt: null });
      expect(new Set(statuses(finished).map((step) => step.slice(1).join()))).toEqual(new Set(['SKIPPED,CANCELLED']));
      expect(finished.types).not.toContain('job.started');
      expectWhole(finished);
    },
    30_000,
  );

  it('asks once, however often it is asked for, and changes no job that has ended', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(endless('sleep 300'));
    await system.reached(jobId, RUNNING);
    await Promise.all(Array.from({ length: 8 }, (_, index) => system.cancel(jobId, `reason ${index}`)));
    const finished = await system.finished(jobId);
    expect(finished.types.filter((type) => type === 'job.cancel_requested')).toHaveLength(1);
    expect(await system.cancel(jobId)).toBe('CANCELLED');
    expect((await system.finished(jobId)).events).toEqual(finished.events);

    const done = await system.run(endless('true'));
    expect(done.job.status).toBe('COMPLETED');
    await expect(system.cancel(done.job.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { state: 'COMPLETED' },
    });
    expect((await system.finished(done.job.id)).events).toEqual(done.events);
    await worker.stop();
  }, 30_000);

  it('ends CANCELLED or COMPLETED, never both or neither, when the request meets the end of the job', async () => {
    const worker = await system.startWorker();
    const gates = { name: 'short', steps: [{ key: 'only', type: 'GATE', condition: 'true' }] };
    const startedAt = performance.now();
    await system.run(gates);
    const usualMs = performance.now() - startedAt;
    const ends = new Set<string>();
    // From far too early to far too late, a few at a time.
    for (let round = 0; round < 10; round += 1) {
      const delays = [0, 1, 2, 3].map((index) => ((round * 4 + index) / 20) * usualMs);
      for (const end of await Promise.all(delays.map((delayMs) => cancelAfter(gates, delayMs)))) ends.add(end);
    }
    await system.cancel((await system.run(gates)).job.id).catch(() => ends.add('COMPLETED'));
    await worker.stop();
    // Otherwise nothing was shown.
    expect(ends).toEqual(new Set(['CANCELLED', 'COMPLETED']));
  }, 60_000);

  /** @returns how the job ended, which must be as the answer to the request said */
  const cancelAfter = async (definition: object, delayMs: number): Promise<string> => {
    const jobId = await system.submit(definition);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const accepted = await system.cancel(jobId).then(
      () => true,
      () => false,
    );
    const finished = await system.finished(jobId);
    expectWhole(finished);
    expect(finished.job.status).toBe(accepted ? 'CANCELLED' : 'COMPLETED');
    return finished.job.status;
  };

  it('is cancelled by the worker that takes it over, when the first one died', async () => {
    const { store, close } = system.openStore({ owner: 'dies at once', leaseMs: 500 });
    const idle = await system.startWorker({ serve: false });
    const jobId = await system.submit(
      endless('echo again >> "$MARK"', { env: { MARK: join(system.dataDir, 'mark') } }),
    );
    const claimed = await until(() => store.claim(jobId));
    expect(claimed.state.status).toBe('QUEUED');
    await system.cancel(jobId, 'while nobody listens');
    await idle.stop();
    const worker = await system.startWorker();
    const finished = await system.finished(jobId);
    await worker.stop();
    await close();
    expect(finished.job.status).toBe('CANCELLED');
    await expect(readFile(join(system.dataDir, 'mark'), 'utf8')).rejects.toThrow('ENOENT');
    expectWhole(finished);
  }, 30_000);
});
