import { access } from 'node:fs/promises';
import { until, startRunnerSystem, type Finished, type RunnerSystem } from './runner-system.js';
import { expectWhole } from './expect-fold.js';

function flaky(step: object): object {
  return {
    name: 'flaky',
    steps: [
      { key: 'flaky', type: 'COMMAND', ...step },
      { key: 'after', phase: 'VALIDATION', type: 'GATE', condition: 'steps.flaky.status == "COMPLETED"' },
    ],
  };
}

const FAILS_TWICE =
  'if [ "$RUNLEDGER_ATTEMPT" -lt 3 ]; then exit 75; fi; echo "attempt=$RUNLEDGER_ATTEMPT" >> "$RUNLEDGER_OUTPUT"';

function retries({ events }: Finished) {
  return events.filter(({ type }) => type === 'step.retrying').map(({ payload }) => payload ?? {});
}

describe('a step that may be retried', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem();
  });
  afterAll(() => system.close());

  const executions = (jobId: string) =>
    system.sql(
      'SELECT attempt, status, exit_code, failure_code, transcript_sha256 IS NOT NULL AS kept FROM sandbox_jobs WHERE job_id = $1 ORDER BY attempt',
      [jobId],
    );

  it('is tried again after growing pauses, each attempt with its own execution and transcript', async () => {
    const worker = await system.startWorker();
    const retry = { maxAttempts: 4, backoffMs: 200, factor: 2, on: [75] };
    const finished = await system.run(flaky({ run: `echo try; ${FAILS_TWICE}`, retry }));
    await worker.stop();
    expect(finished.job.status).toBe('COMPLETED');
    expect(finished.step('flaky')).toMatchObject({ attempt: 3, outputs: { attempt: '3' }, error: null });
    expect(retries(finished)).toMatchObject([
      { attempt: 1, reason: 'FAILED', delayMs: 200, code: 'COMMAND_FAILED', exitCode: 75 },
      { attempt: 2, reason: 'FAILED', delayMs: 400, code: 'COMMAND_FAILED', exitCode: 75 },
    ]);
    const starts = finished.events.filter(
      ({ type, stepId }) => type === 'step.started' && stepId === finished.step('flaky').id,
    );
    const retryAts = retries(finished).map(({ retryAt }) => Date.parse(String(retryAt)));
    starts.slice(1).forEach(({ timestamp }, index) => {
      expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(retryAts[index] ?? NaN);
    });
    expect(await executions(finished.job.id)).toEqual([
      { attempt: 1, status: 'failed', exit_code: 75, failure_code: null, kept: true },
      { attempt: 2, status: 'failed', exit_code: 75, failure_code: null, kept: true },
      { attempt: 3, status: 'succeeded', exit_code: 0, failure_code: null, kept: true },
    ]);
    expectWhole(finished);
  }, 30_000);

  it('holds no worker during a long pause', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(
      flaky({ run: FAILS_TWICE, retry: { maxAttempts: 3, backoffMs: 1_500, factor: 1 } }),
    );
    await system.reached(jobId, `parked_at IS NOT NULL AND lease_owner IS NULL AND wake_at > now()`);
    const finished = await system.finished(jobId);
    await worker.stop();
    expect(finished.step('flaky')).toMatchObject({ status: 'COMPLETED', attempt: 3 });
    expectWhole(finished);
  }, 30_000);

  it('fails with its last failure when the attempts are used up, and at once for another exit code', async () => {
    const worker = await system.startWorker();
    const used = await system.run(flaky({ run: 'exit 75', retry: { maxAttempts: 2, backoffMs: 0, on: [75] } }));
    expect(used.step('flaky')).toMatchObject({
      status: 'FAILED',
      attempt: 2,
      exitCode: 75,
      error: { code: 'COMMAND_FAILED' },
    });
    const other = await system.run(
      flaky({ run: 'exit 3', retry: { maxAttempts: 9, backoffMs: 0, on: [75, 'TIMEOUT'] } }),
    );
    expect(other.step('flaky')).toMatchObject({ status: 'FAILED', attempt: 1, exitCode: 3 });
    await worker.stop();
    [used, other].forEach(expectWhole);
  }, 30_000);

  it('is tried again after a timeout when the rule says so', async () => {
    const worker = await system.startWorker();
    const run = 'if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then sleep 60; fi';
    const retry = { maxAttempts: 2, backoffMs: 0, on: ['TIMEOUT'] };
    const finished = await system.run(flaky({ run, timeoutSeconds: 1, retry }));
    await worker.stop();
    expect(finished.step('flaky')).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(retries(finished)).toMatchObject([{ code: 'TIMEOUT' }]);
    expectWhole(finished);
  }, 30_000);

  it('is cancelled while it waits for its next attempt', async () => {
    const worker = await system.startWorker();
    const jobId = await system.submit(
      flaky({ run: 'exit 1', retry: { maxAttempts: 3, backoffMs: 600_000, maxBackoffMs: 600_000 } }),
    );
    await system.reached(jobId, 'parked_at IS NOT NULL');
    expect(await system.cancel(jobId)).toBe('RUNNING');
    const finished = await system.finished(jobId);
    await worker.stop();
    expect(finished.job.status).toBe('CANCELLED');
    expect(finished.step('flaky')).toMatchObject({ status: 'SKIPPED', skipReason: 'CANCELLED', attempt: 1 });
    expectWhole(finished);
  }, 30_000);

  it('of CLEANUP is still tried again when the job was cancelled meanwhile, and nobody spins while it waits', async () => {
    const worker = await system.startWorker();
    const retry = { maxAttempts: 2, backoffMs: 2_500 };
    const run = 'if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then exit 1; fi; echo "done=yes" >> "$RUNLEDGER_OUTPUT"';
    const steps = [
      { key: 'work', type: 'GATE', condition: 'true' },
      { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run, retry },
    ];
    const jobId = await system.submit({ name: 'tidy', steps });
    await system.reached(jobId, 'parked_at IS NOT NULL');
    await system.cancel(jobId);
    const finished = await system.finished(jobId);
    await worker.stop();
    expect(finished.job.status).toBe('CANCELLED');
    expect(finished.step('tidy')).toMatchObject({ status: 'COMPLETED', attempt: 2, outputs: { done: 'yes' } });
    expect(finished.types.filter((type) => type === 'phase.started').length).toBeLessThan(6);
    expectWhole(finished);
  }, 30_000);

  it('fails instead of being repeated when its worker stops and it says so', async () => {
    const first = await system.startWorker();
    const jobId = await system.submit(flaky({ run: 'sleep 60', onInterrupt: 'fail' }));
    await system.reached(jobId, `EXISTS (SELECT FROM sandbox_jobs WHERE job_id = $1 AND status = 'running')`);
    await first.stop(0);
    const second = await system.startWorker();
    const finished = await system.finished(jobId);
    await second.stop();
    expect(finished.step('flaky')).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'INTERRUPTED' } });
    expectWhole(finished);
  }, 30_000);

  it('leaves no execution running in the books when its worker died', async () => {
    const idle = await system.startWorker({ serve: false });
    const { store, close } = system.openStore({ owner: 'dies', leaseMs: 300 });
    const jobId = await system.submit(flaky({ run: 'true' }));
    const claimed = await until(() => store.claim(jobId));
    const { HeldJob } = await import('../../../libs/runner/src/engine/held-job.js');
    const { systemClock } = await import('#kernel');
    const dead = new HeldJob(store, systemClock, { type: 'worker', id: 'dies' }, claimed);
    const [step] = dead.state.steps;
    if (step === undefined) throw new Error('no step');
    dead.record('job.started', { workerId: 'dies' });
    for (const phase of ['SETUP'] as const) dead.record('phase.skipped', { reason: 'EMPTY' }, { phase });
    dead.record('phase.started', { workerId: 'dies', epoch: dead.epoch }, { phase: 'EXECUTION' });
    dead.record('step.started', { key: step.key, attempt: 1 }, { step });
    const id = '0198f3c2-0000-7000-8000-0000000000ee';
    await system.sql(
      `INSERT INTO sandbox_jobs (id, workspace_id, job_id, step_id, attempt, status, driver) VALUES ($1, $2, $3, $4, 1, 'running', 'process')`,
      [id, system.workspaceId, jobId, step.id],
    );
    expect(await dead.commit()).toBe(true);
    dead.rest();
    await idle.stop();

    const worker = await system.startWorker();
    const finished = await system.finished(jobId);
    await worker.stop();
    await close();
    expect(finished.step('flaky')).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(retries(finished)).toMatchObject([{ attempt: 1, reason: 'INTERRUPTED', delayMs: 0 }]);
    expect(await executions(jobId)).toMatchObject([
      { attempt: 1, status: 'failed', failure_code: 'INTERRUPTED' },
      { attempt: 2, status: 'succeeded' },
    ]);
    expectWhole(finished);
  }, 30_000);
});

describe('a job with a time of its own', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem({ SHUTDOWN_GRACE_MS: '500' });
  });
  afterAll(() => system.close());

  it('is ended when it is over: what runs is stopped, CLEANUP runs, and the job says why', async () => {
    const worker = await system.startWorker();
    const finished = await system.run({
      name: 'late',
      timeoutSeconds: 1,
      steps: [
        { key: 'slow', type: 'COMMAND', run: 'sleep 60' },
        { key: 'after', type: 'COMMAND', run: 'true' },
        { key: 'check', phase: 'VALIDATION', type: 'GATE', condition: 'true' },
        { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run: 'sleep 0.3; echo "done=yes" >> "$RUNLEDGER_OUTPUT"' },
      ],
    });
    await worker.stop();
    expect(finished.job).toMatchObject({ status: 'FAILED', error: { code: 'JOB_TIMEOUT' } });
    expect(finished.job.failedStepId).toBe(finished.step('slow').id);
    expect(finished.step('slow')).toMatchObject({ status: 'FAILED', error: { code: 'JOB_TIMEOUT' } });
    expect(finished.step('after')).toMatchObject({ status: 'SKIPPED', skipReason: 'TIMEOUT' });
    expect(finished.step('check')).toMatchObject({ status: 'SKIPPED', skipReason: 'TIMEOUT' });
    expect(finished.step('tidy')).toMatchObject({ status: 'COMPLETED', outputs: { done: 'yes' } });
    expectWhole(finished);
  }, 30_000);

  it('is ended although it waits for another attempt much longer', async () => {
    const worker = await system.startWorker();
    const retry = { maxAttempts: 3, backoffMs: 60_000, maxBackoffMs: 60_000 };
    const finished = await system.run({ ...flaky({ run: 'exit 1', retry }), timeoutSeconds: 2 });
    await worker.stop();
    expect(finished.job).toMatchObject({ status: 'FAILED', error: { code: 'JOB_TIMEOUT' } });
    expectWhole(finished);
  }, 30_000);
});

describe('a command that tells how far it is', () => {
  it('moves the progress of its job, the last line counting, and never back', async () => {
    const system = await startRunnerSystem();
    const worker = await system.startWorker();
    const run =
      'echo "30 a third" >> "$RUNLEDGER_PROGRESS"; echo nonsense >> "$RUNLEDGER_PROGRESS"; sleep 1.2; echo "70% nearly" >> "$RUNLEDGER_PROGRESS"; sleep 1.2; echo 20 >> "$RUNLEDGER_PROGRESS"';
    const jobId = await system.submit({ name: 'told', steps: [{ key: 'told', type: 'COMMAND', run }] });
    await system.reached(jobId, `progress_percent = 70 AND progress_message = 'nearly'`);
    const finished = await system.finished(jobId);
    const told = finished.events.filter(({ type }) => type === 'job.progress').map(({ payload }) => payload);
    expect(told).toEqual([{ percent: 30, message: 'a third' }, { percent: 70, message: 'nearly' }, { percent: 20 }]);
    expect(finished.job.progressPercent).toBe(100);
    expectWhole(finished);
    await expect(access(`${system.dataDir}/workdirs/${jobId}`)).rejects.toThrow('ENOENT');
    await worker.stop();
    await system.close();
  }, 30_000);
});
