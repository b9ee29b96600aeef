import { expectRowsEqualFold } from './expect-fold.js';
import { startRunnerSystem, type RunnerSystem } from './runner-system.js';

const command = (key: string, run: string, more: object = {}): object => ({ key, type: 'COMMAND', run, ...more });

describe('what happens when a step fails', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem();
    await system.startWorker();
  });
  afterAll(() => system.close());

  it('skips what is left, runs CLEANUP, and fails with the first cause', async () => {
    const finished = await system.run({
      name: 'fails',
      steps: [
        command('good', 'true'),
        command('bad', 'exit 7'),
        command('after', 'true'),
        { key: 'check', phase: 'VALIDATION', type: 'GATE', condition: 'true' },
        command('sweep', 'exit 9', { phase: 'CLEANUP' }),
        command('sweep-more', 'echo job failed: ${{ job.failed }}', { phase: 'CLEANUP' }),
      ],
    });
    expect(finished.job.status).toBe('FAILED');
    expect(finished.job.error).toEqual({ code: 'COMMAND_FAILED', message: 'step "bad": the command exited with 7' });
    expect(finished.job.failedStepId).toBe(finished.step('bad').id);
    expect(finished.job.steps.map((step) => [step.key, step.status, step.skipReason])).toEqual([
      ['good', 'COMPLETED', null],
      ['bad', 'FAILED', null],
      ['after', 'SKIPPED', 'PRECEDING_FAILURE'],
      ['check', 'SKIPPED', 'PRECEDING_FAILURE'],
      ['sweep', 'FAILED', null],
      ['sweep-more', 'COMPLETED', null],
    ]);
    expect(
      finished.events.filter((event) => event.type.startsWith('phase.')).map((event) => `${event.phase} ${event.type}`),
    ).toEqual([
      ...['SETUP phase.skipped', 'EXECUTION phase.started', 'EXECUTION phase.failed', 'VALIDATION phase.skipped'],
      ...['CLEANUP phase.started', 'CLEANUP phase.failed'],
    ]);
    expectRowsEqualFold(finished);
  });

  it('goes on after a failure that the definition tolerates', async () => {
    const bad = command('bad', 'echo n=1 >> "$RUNLEDGER_OUTPUT"; exit 3', { continueOnError: true });
    const after = command('after', 'test "${{ steps.bad.exitCode }}-${{ steps.bad.outputs.n }}" = 3-1');
    const finished = await system.run({ name: 'tolerant', steps: [bad, after] });
    expect(finished.job.status).toBe('COMPLETED');
    expect(finished.step('bad')).toMatchObject({ status: 'FAILED', outputs: { n: '1' } });
    expectRowsEqualFold(finished);
  });

  it('skips a step whose `when` is false, and fails one whose `when` cannot be evaluated', async () => {
    const finished = await system.run({
      name: 'when',
      steps: [
        command('first', 'true'),
        command('never', 'exit 1', { when: 'steps.first.exitCode != 0' }),
        command('wrong', 'true', { when: 'int(steps.first.outputs.n) > 1' }),
      ],
    });
    expect(finished.step('never')).toMatchObject({ status: 'SKIPPED', skipReason: 'CONDITION' });
    expect(finished.step('wrong')).toMatchObject({ status: 'FAILED', error: { code: 'EXPRESSION_FAILED' } });
    expect(finished.step('wrong').error?.message).toContain('int(steps.first.outputs.n) > 1');
    expect(finished.step('wrong').error?.message).toContain('has no "n"');
    expectRowsEqualFold(finished);
  });

  it('says which condition a gate refused, and why one could not be evaluated', async () => {
    const refused = await system.run({ name: 'gate', steps: [{ key: 'gate', type: 'GATE', condition: '1 > 2' }] });
    expect(refused.job.error).toEqual({ code: 'GATE_REJECTED', message: 'step "gate": the condition is false: 1 > 2' });
    const gate = { key: 'gate', type: 'GATE', condition: 'steps.a.outputs.missing > 2' };
    const broken = await system.run({ name: 'gate', steps: [command('a', 'true'), gate] });
    expect(broken.step('gate').error).toMatchObject({ code: 'EXPRESSION_FAILED' });
    expect(broken.types).toContain('gate.failed');
    expectRowsEqualFold(broken);
  });

  it('ends a command that overruns its time and ignores SIGTERM, and cleans up', async () => {
    const slow = command('slow', 'trap "" TERM; echo begun; sleep 60 & wait; sleep 60', { timeoutSeconds: 1 });
    const finished = await system.run({ name: 'slow', steps: [slow, command('sweep', 'true', { phase: 'CLEANUP' })] });
    expect(finished.job.error?.code).toBe('TIMEOUT');
    expect(finished.step('sweep').status).toBe('COMPLETED');
  }, 30_000);

  it('refuses outputs that it cannot read, naming the line', async () => {
    const bad = command('bad', 'echo fine=1 >> "$RUNLEDGER_OUTPUT"; echo "no equals sign" >> "$RUNLEDGER_OUTPUT"');
    const finished = await system.run({ name: 'outputs', steps: [bad] });
    expect(finished.job.error).toMatchObject({ code: 'OUTPUT_INVALID' });
    expect(finished.job.error?.message).toContain('line 2');
  });

  it.each([
    ['a link', 'rm "$RUNLEDGER_OUTPUT"; ln -s /etc/passwd "$RUNLEDGER_OUTPUT"'],
    ['a link to a folder', 'd=$(dirname "$RUNLEDGER_OUTPUT"); rm -r "$d"; ln -s /etc "$d"'],
    ['a pipe', 'rm "$RUNLEDGER_OUTPUT"; mkfifo "$RUNLEDGER_OUTPUT"'],
    ['nothing', 'rm "$RUNLEDGER_OUTPUT"'],
  ])('never reads %s that a command put in the place of its output file', async (_, run) => {
    const finished = await system.run({ name: 'replaced', steps: [command('replace', run)] });
    expect(finished.job.error?.code).toBe('OUTPUT_INVALID');
  });

  it('finds no artifact, or one outside of the workdir, and says so', async () => {
    const keep = { key: 'keep', type: 'ARTIFACT', paths: ['*.txt'] };
    const missing = await system.run({ name: 'none', steps: [keep] });
    expect(missing.job.error).toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
    const ignored = await system.run({ name: 'none', steps: [{ ...keep, ifNoFiles: 'ignore' }] });
    expect(ignored.job.status).toBe('COMPLETED');
    const outside = await system.run({ name: 'out', steps: [command('link', 'ln -s /etc/passwd stolen.txt'), keep] });
    expect(outside.job.error).toMatchObject({ code: 'ARTIFACT_OUTSIDE_WORKDIR' });
    expect(outside.job.error?.message).toContain('stolen.txt');
    expectRowsEqualFold(outside);
  });
});
