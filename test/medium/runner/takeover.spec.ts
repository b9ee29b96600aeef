import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '#kernel';
import { HeldJob } from '../../../libs/runner/src/engine/held-job.js';
import { LeaseKeeper } from '../../../libs/runner/src/engine/lease-keeper.js';
import { expectWhole } from './expect-fold.js';
import { startRunnerSystem, until, type RunnerSystem } from './runner-system.js';

const SLOW_AT_FIRST =
  'if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then sleep 60; fi; echo "attempt=$RUNLEDGER_ATTEMPT" >> "$RUNLEDGER_OUTPUT"';
const slowJob = (run: string): object => ({
  name: 'slow',
  steps: [
    { key: 'slow', type: 'COMMAND', run },
    { key: 'sweep', phase: 'CLEANUP', type: 'GATE', condition: 'steps.slow.status == "COMPLETED"' },
  ],
});
const actor = { type: 'worker', id: 'played by the test' } as const;

describe('a job whose worker goes away', () => {
  let system: RunnerSystem;
  beforeEach(async () => {
    system = await startRunnerSystem();
  });
  afterEach(() => system.close());

  const started = (jobId: string): Promise<unknown> =>
    until(
      async () =>
        (await system.sql(`SELECT 1 FROM job_steps WHERE job_id = $1 AND status = 'RUNNING'`, [jobId]))[0] ?? null,
    );

  it('is interrupted by an orderly stop after the grace period, and finished by the next worker', async () => {
    const first = await system.startWorker();
    const jobId = await system.submit(slowJob(SLOW_AT_FIRST));
    await started(jobId);
    await first.stop(50);
    const [between] = await system.sql('SELECT status, lease_owner FROM runner_jobs WHERE id = $1', [jobId]);
    expect(between).toEqual({ status: 'RUNNING', lease_owner: null });

    await system.startWorker();
    const finished = await system.finished(jobId);
    expect(finished.job.status).toBe('COMPLETED');
    expect(finished.step('slow')).toMatchObject({ attempt: 2, outputs: { attempt: '2' } });
    expect(finished.types.filter((type) => type === 'step.retrying')).toHaveLength(1);
    expect(
      await system.sql('SELECT attempt, status FROM sandbox_jobs WHERE job_id = $1 ORDER BY attempt', [jobId]),
    ).toEqual([
      { attempt: 1, status: 'failed' },
      { attempt: 2, status: 'succeeded' },
    ]);
    expectWhole(finished);
  }, 30_000);

  it('lets a step end by itself within the grace period', async () => {
    const first = await system.startWorker();
    const jobId = await system.submit(slowJob('sleep 1; echo "attempt=$RUNLEDGER_ATTEMPT" >> "$RUNLEDGER_OUTPUT"'));
    await started(jobId);
    await first.stop(10_000);
    await system.startWorker();
    const finished = await system.finished(jobId);
    expect(finished.step('slow').attempt).toBe(1);
    expectWhole(finished);
  }, 30_000);

  it('is taken over when its lease runs out, and its first worker can write nothing more', async () => {
    const { store, close } = system.openStore({ owner: 'dead', leaseMs: 1_000 });
    const idle = await system.startWorker({ serve: false });
    const jobId = await system.submit(slowJob(SLOW_AT_FIRST.replace('sleep 60', 'exit 1')));
    const claimed = await until(() => store.claim(jobId));
    const dead = new HeldJob(store, systemClock, actor, claimed);
    const step = dead.state.steps[0];
    if (step === undefined) throw new Error('no step');
    dead.record('job.started', { workerId: 'dead' });
    dead.record('phase.skipped', { reason: 'EMPTY' }, { phase: 'SETUP' });
    dead.record('phase.started', { workerId: 'dead', epoch: dead.epoch }, { phase: 'EXECUTION' });
    dead.record('step.started', { key: 'slow', attempt: 1 }, { step });
    expect(await dead.commit()).toBe(true);

    await idle.stop();
    await system.startWorker();
    const finished = await system.finished(jobId);
    expect(finished.job.status).toBe('COMPLETED');
    expect(finished.step('slow').outputs).toEqual({ attempt: '2' });
    expectWhole(finished);

    dead.record('step.completed', { attempt: 1, outputs: { attempt: 'dead' }, exitCode: 0, durationMs: 1 }, { step });
    expect(await dead.commit()).toBe(false);
    expect(dead.lost.aborted).toBe(true);
    expect((await system.finished(jobId)).events).toEqual(finished.events);
    await close();
  }, 30_000);

  it('is not counted as lost when its claim was given back while the leases were being renewed', async () => {
    const { store, close } = system.openStore({ owner: 'keeper', leaseMs: 600 });
    const idle = await system.startWorker({ serve: false });
    const leases = new LeaseKeeper(store, 600);
    const jobId = await system.submit(slowJob('true'));
    const claimed = await until(() => store.claim(jobId));
    const job = new HeldJob(store, systemClock, actor, claimed);
    leases.hold(job, performance.now());
    job.record('job.started', { workerId: 'keeper' });
    expect(await job.conclude('park', null, () => true)).toBe('written');
    // Longer than two renewals; the keeper still has it, as it has between a job's last commit and the end of its tidying up.
    await new Promise((resolve) => setTimeout(resolve, 450));
    expect(job.lost.aborted).toBe(false);
    leases.letGo(job);
    leases.onApplicationShutdown();
    await idle.stop();
    await close();
  });

  it('goes to one of twenty who claim it at once', async () => {
    const { store, close } = system.openStore({ owner: 'one of many', leaseMs: 60_000 });
    const others = Array.from({ length: 4 }, (_, index) =>
      system.openStore({ owner: `other ${index}`, leaseMs: 60_000 }),
    );
    const idle = await system.startWorker({ serve: false });
    const jobId = await system.submit(slowJob('true'));
    await until(
      async () =>
        (await system.sql(`SELECT 1 FROM runner_jobs WHERE id = $1 AND status = 'QUEUED'`, [jobId]))[0] ?? null,
    );
    const stores = [store, ...others.map((other) => other.store)];
    const rounds = [1, 2, 3, 4];
    const claims = await Promise.all(rounds.flatMap(() => stores.map((one) => one.claim(jobId))));
    expect(claims).toHaveLength(20);
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
    await idle.stop();
    await Promise.all([close(), ...others.map((other) => other.close())]);
  });

  it('beats while its worker reaches the database', async () => {
    const heartbeat = join(system.dataDir, 'heartbeat');
    const beating = await startRunnerSystem({ HEARTBEAT_FILE: heartbeat });
    const worker = await beating.startWorker({ serve: false });
    const beatAt = async (): Promise<number | null> =>
      stat(heartbeat).then(
        (found) => found.mtimeMs,
        () => null,
      );
    const first = await until(beatAt);
    await until(async () => ((await beatAt()) ?? 0) > first || null);
    await worker.stop();
    await beating.close();
  });

  it('is admitted although nobody listened when it was submitted', async () => {
    const jobId = await system.submit(slowJob('true'));
    await system.startWorker();
    expect((await system.finished(jobId)).job.status).toBe('COMPLETED');
  });

  it('is offered again when the queue has lost it', async () => {
    const idle = await system.startWorker({ serve: false });
    const jobId = await system.submit(slowJob('true'));
    await until(
      async () =>
        (await system.sql(`SELECT 1 FROM runner_jobs WHERE id = $1 AND status = 'QUEUED'`, [jobId]))[0] ?? null,
    );
    await until(async () => (await emptyQueue(system)) || null);
    await system.startWorker();
    const finished = await system.finished(jobId);
    expect(finished.job.status).toBe('COMPLETED');
    const [row] = await system.sql('SELECT offers FROM runner_jobs WHERE id = $1', [jobId]);
    expect(row?.['offers']).toBe(2);
    expectWhole(finished);
    await idle.stop();
  }, 30_000);
});

describe('phases as messages of their own', () => {
  it('hands the job over after every phase when told to', async () => {
    const system = await startRunnerSystem({ RUNNER_HANDOVER_AFTER_MS: '0' });
    await system.startWorker();
    const gate = (key: string, phase: string): object => ({ key, phase, type: 'GATE', condition: 'true' });
    const finished = await system.run({
      name: 'handed over',
      steps: [gate('a', 'SETUP'), gate('b', 'EXECUTION'), gate('c', 'VALIDATION'), gate('d', 'CLEANUP')],
    });
    expect(
      finished.events.filter((event) => event.type === 'phase.started').map((event) => event.payload?.['epoch']),
    ).toEqual([1, 2, 3, 4]);
    expectWhole(finished);
    await system.close();
  }, 30_000);

  it('runs short phases in one wake-up otherwise', async () => {
    const system = await startRunnerSystem({ RUNNER_HANDOVER_AFTER_MS: '60000' });
    await system.startWorker();
    const finished = await system.run(slowJob('true'));
    expect(
      finished.events.filter((event) => event.type === 'phase.started').map((event) => event.payload?.['epoch']),
    ).toEqual([1, 1]);
    await system.close();
  }, 30_000);
});

/** Throws away every message, as a FLUSHALL would. @returns how many there were */
async function emptyQueue(system: RunnerSystem): Promise<number> {
  const tables = await system.sql(
    `SELECT table_name FROM information_schema.tables WHERE table_schema = 'bullmq' AND table_name LIKE '%job%' AND table_type = 'BASE TABLE'`,
  );
  let removed = 0;
  for (const { table_name } of tables)
    removed += (
      await system.sql(
        `WITH gone AS (DELETE FROM bullmq."${String(table_name)}" RETURNING 1) SELECT count(*)::int AS n FROM gone`,
      )
    )[0]?.['n'] as number;
  return removed;
}
