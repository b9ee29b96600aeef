import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { verifyChain } from '#ledger';
import { expectRowsEqualFold } from '../runner/expect-fold.js';
import { startRunnerSystem, until, type Finished, type RunnerSystem } from '../runner/runner-system.js';

/** Writes down that it ran, where the workdir's fate does not matter; and leaves something in the workdir. */
const mark = (key: string, more = ''): string => `echo ${key} >> "$MARKS"; echo ${key} >> trace.txt; ${more}`;

describe('a retry of a job', () => {
  let system: RunnerSystem;
  let marks: string;
  beforeAll(async () => {
    system = await startRunnerSystem();
    await system.startWorker();
  });
  afterAll(() => system.close());

  let count = 0;
  beforeEach(() => {
    marks = join(system.dataDir, `marks-${(count += 1)}`);
  });

  const step = (key: string, phase: string, run: string, more: object = {}): object => ({
    ...{ key, phase, type: 'COMMAND', run },
    ...more,
  });
  /** "b" fails unless the file that is named by $MARKS and "-fixed" is there. */
  const build = (more: object = {}): object => ({
    name: 'build',
    env: { MARKS: marks },
    steps: [
      step(
        'clone',
        'SETUP',
        mark('clone', 'mkdir -p src; echo hello > src/a; ln -s a src/link; echo "rev=abc" >> "$RUNLEDGER_OUTPUT"'),
      ),
      step('a', 'EXECUTION', mark('a', 'cat src/link > made')),
      step('b', 'EXECUTION', mark('b', 'echo "${{ steps.clone.outputs.rev }} $(cat made)"; test -e "$MARKS-fixed"')),
      step('after', 'VALIDATION', mark('after', 'test "$(cat made)" = hello')),
      step('tidy', 'CLEANUP', mark('tidy')),
    ],
    ...more,
  });
  const ran = async (): Promise<string[]> => {
    const { readFile } = await import('node:fs/promises');
    return (await readFile(marks, 'utf8')).trim().split('\n');
  };
  const fix = async (): Promise<void> => {
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${marks}-fixed`, '');
    rmSync(marks, { force: true });
  };
  const expectWhole = (finished: Finished): void => {
    const { id, head } = finished.job;
    const verdict = verifyChain(finished.events, { jobId: id, workspaceId: system.workspaceId, recordedHead: head });
    expect(verdict).toMatchObject({ valid: true });
    expectRowsEqualFold(finished);
  };
  const events = (finished: Finished, type: string) => finished.events.filter((event) => event.type === type);
  const why = (finished: Finished): Record<string, unknown> =>
    Object.fromEntries(
      events(finished, 'step.started').map(({ payload }) => [payload?.['key'], payload?.['notReused']]),
    );

  it('from the failed step: takes over what is done, with the workdir as it was, and runs the rest', async () => {
    const old = await system.run(build());
    expect(old.job.status).toBe('FAILED');
    expect(await ran()).toEqual(['clone', 'a', 'b', 'tidy']);
    await fix();
    const retried = await system.finished(await system.retry(old.job.id));
    expect(retried.job).toMatchObject({ status: 'COMPLETED', retryOf: old.job.id });
    expect(await ran()).toEqual(['b', 'after', 'tidy']);
    expect(retried.step('clone')).toMatchObject({
      status: 'SKIPPED',
      skipReason: 'REUSED',
      outputs: { rev: 'abc' },
      attempt: 0,
    });
    expect(retried.step('a')).toMatchObject({ status: 'SKIPPED', skipReason: 'REUSED' });
    const [skipped] = events(retried, 'step.skipped');
    expect(skipped?.payload).toMatchObject({ reusedFrom: { jobId: old.job.id, stepId: old.step('clone').id } });
    const [restored] = events(retried, 'checkpoint.restored');
    const [setup, execution] = events(old, 'checkpoint.created');
    expect([setup?.payload?.['phase'], execution?.payload?.['phase']]).toEqual(['SETUP', 'EXECUTION']);
    expect(restored?.payload).toMatchObject({
      ...{ jobId: old.job.id, phase: 'EXECUTION', runFrom: 'b', ref: execution?.payload?.['ref'] },
      treeHash: execution?.payload?.['treeHash'],
    });
    expectWhole(retried);
    // The old job is as it was.
    expectWhole(await system.finished(old.job.id));
    expect((await system.finished(old.job.id)).job).toEqual(old.job);
  }, 60_000);

  it('from the start: runs everything in an empty workdir', async () => {
    const old = await system.run(build());
    await fix();
    const retried = await system.finished(await system.retry(old.job.id, 'start'));
    expect(retried.job.status).toBe('COMPLETED');
    expect(await ran()).toEqual(['clone', 'a', 'b', 'after', 'tidy']);
    expect(retried.types).not.toContain('checkpoint.restored');
    expect(why(retried)).toEqual({});
  }, 60_000);

  it('from a step: of which the workdir before it was kept', async () => {
    const old = await system.run(build());
    await fix();
    const retried = await system.finished(await system.retry(old.job.id, 'a'));
    expect(await ran()).toEqual(['a', 'b', 'after', 'tidy']);
    expect(events(retried, 'checkpoint.restored')[0]?.payload).toMatchObject({ phase: 'SETUP', runFrom: 'a' });
    // The trace of "a" and "b" of the old job is not in there.
    expectWhole(retried);
  }, 60_000);

  it('of a retry: goes back to whoever did the work', async () => {
    const old = await system.run(build());
    const second = await system.finished(await system.retry(old.job.id));
    expect(second.job.status).toBe('FAILED');
    await fix();
    const third = await system.finished(await system.retry(second.job.id));
    expect(third.job.status).toBe('COMPLETED');
    expect(await ran()).toEqual(['b', 'after', 'tidy']);
    const [skipped] = events(third, 'step.skipped');
    expect(skipped?.payload).toMatchObject({ reusedFrom: { jobId: old.job.id }, outputs: { rev: 'abc' } });
    expect(events(third, 'checkpoint.restored')[0]?.payload).toMatchObject({ jobId: second.job.id });
    // And to the phase before, which only the first job has run and kept.
    rmSync(marks, { force: true });
    const fourth = await system.finished(await system.retry(second.job.id, 'a'));
    expect(await ran()).toEqual(['a', 'b', 'after', 'tidy']);
    expect(events(fourth, 'checkpoint.restored')[0]?.payload).toMatchObject({ jobId: old.job.id, phase: 'SETUP' });
    expectWhole(fourth);
  }, 60_000);

  it('runs again what is given something else, and says why', async () => {
    const named = build() as { steps: object[] };
    named.steps[0] = step('clone', 'SETUP', mark('clone', 'echo hello > made; echo "${{ job.id }}"'));
    named.steps[1] = step('a', 'EXECUTION', mark('a'));
    named.steps[2] = step('b', 'EXECUTION', mark('b', 'test -e "$MARKS-fixed"'));
    const old = await system.run(named);
    await fix();
    const retried = await system.finished(await system.retry(old.job.id));
    expect(retried.job.status).toBe('COMPLETED');
    expect(await ran()).toEqual(['clone', 'a', 'b', 'after', 'tidy']);
    expect(why(retried)).toMatchObject({
      clone: `it is given something else than in job ${old.job.id}`,
      a: 'step "clone" before it runs again, and they share the workdir',
    });
  }, 60_000);

  it.each([
    ['is gone', 'DELETE', 'the checkpoint of its workdir is not kept any more'],
    ['was changed', 'CHANGE', 'its bytes are not those that were kept'],
  ])(
    'runs again what was done in a workdir whose checkpoint %s',
    async (_, what, message) => {
      const old = await system.run(build());
      const ref = String(events(old, 'checkpoint.created')[1]?.payload?.['ref']);
      const { readFile } = await import('node:fs/promises');
      const { Readable } = await import('node:stream');
      const bytes = await readFile(join(system.dataDir, 'blobs', ref));
      await system.blobs.delete(ref);
      // One byte of a file's content: the archive itself stays whole.
      if (what === 'CHANGE') {
        bytes[bytes.indexOf('hello\n')] = 'j'.charCodeAt(0);
        await system.blobs.put(ref, Readable.from([bytes]));
      }
      await fix();
      const retried = await system.finished(await system.retry(old.job.id));
      expect(retried.job.status).toBe('COMPLETED');
      expect(await ran()).toEqual(['a', 'b', 'after', 'tidy']);
      expect(why(retried)['a']).toContain(message);
      expect(events(retried, 'checkpoint.restored')[0]?.payload).toMatchObject({ phase: 'SETUP' });
    },
    60_000,
  );

  it('of a cancelled job takes over what was done before', async () => {
    await system.startWorker();
    const slow = build() as { steps: object[] };
    slow.steps[2] = step('b', 'EXECUTION', mark('b', 'test -e "$MARKS-fixed" || sleep 60'));
    const jobId = await system.submit(slow);
    await system.reached(
      jobId,
      `EXISTS (SELECT FROM job_steps WHERE job_id = runner_jobs.id AND key = 'b' AND status = 'RUNNING')`,
    );
    await until(() => Promise.resolve(existsSync(marks) ? true : null));
    await system.cancel(jobId, 'to test it');
    const old = await system.finished(jobId);
    expect(old.job.status).toBe('CANCELLED');
    await fix();
    const retried = await system.finished(await system.retry(jobId));
    expect(retried.job.status).toBe('COMPLETED');
    expect(await ran()).toEqual(['b', 'after', 'tidy']);
  }, 60_000);

  it('is refused for a job that runs or has completed, and for a step that there is not', async () => {
    await fix();
    const done = await system.run(build());
    expect(done.job.status).toBe('COMPLETED');
    await expect(system.retry(done.job.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { state: 'COMPLETED' },
    });
    rmSync(`${marks}-fixed`);
    const failed = await system.run(build());
    await expect(system.retry(failed.job.id, 'nonsense')).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      fields: [{ field: 'from', rule: 'unknownStep' }],
    });
    await expect(system.retry('0198f3c2-0000-7000-8000-0000000000ff')).rejects.toThrow('there is no job');
  }, 60_000);

  it('without checkpoints runs everything again', async () => {
    const old = await system.run(build({ checkpoints: false }));
    expect(old.types).not.toContain('checkpoint.created');
    await fix();
    const retried = await system.finished(await system.retry(old.job.id));
    expect(retried.job.status).toBe('COMPLETED');
    expect(await ran()).toEqual(['clone', 'a', 'b', 'after', 'tidy']);
    expect(why(retried)['clone']).toContain('checkpoints: false');
  }, 60_000);

  it('leaves no checkpoint of a completed job, and no workdir', async () => {
    await fix();
    const done = await system.run(build());
    expect(done.types).toContain('checkpoint.created');
    await until(async () => {
      const left = await system.sql('SELECT 1 FROM checkpoints WHERE job_id = $1', [done.job.id]);
      return left.length === 0 ? true : null;
    });
    const ref = String(events(done, 'checkpoint.created')[0]?.payload?.['ref']);
    expect(await system.blobs.size(ref)).toBeNull();
    await until(() =>
      Promise.resolve(readdirSync(join(system.dataDir, 'workdirs')).includes(done.job.id) ? null : true),
    );
  }, 60_000);
});
