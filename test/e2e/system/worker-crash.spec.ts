import { randomBytes } from 'node:crypto';
import { describeWithBubblewrap, describeWithRedis, startRedis } from '#testing';
import { processesOf } from '../processes.js';
import { ended, eventsOf, expectAllWhole, openSystem, until, type SystemUnderTest } from './system-fixture.js';

/** Of a lease of 6 s, a look for expired ones every 2 s, and the rest of the step. */
const TAKEN_OVER_WITHIN_MS = 15_000;

/** Never ends at the first attempt, and can be told from any other process of this machine, also from its children. */
function stubbornJob(mark: string): object {
  return {
    name: 'stubborn',
    steps: [
      { key: 'before', phase: 'SETUP', type: 'COMMAND', run: 'echo once' },
      {
        key: 'slow',
        type: 'COMMAND',
        env: { MARK: mark },
        run: `if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then (trap '' TERM; sleep 300) & sleep 300; fi; echo "attempt=$RUNLEDGER_ATTEMPT" >> "$RUNLEDGER_OUTPUT"`,
      },
      { key: 'after', phase: 'CLEANUP', type: 'GATE', condition: 'steps.slow.outputs.attempt == "2"' },
    ],
  };
}

async function killInTheMiddle(system: SystemUnderTest): Promise<void> {
  const mark = `mark-${randomBytes(8).toString('hex')}`;
  const { id } = await system.client.submit(stubbornJob(mark));
  const firstProcesses = await until('the command and its child', () => {
    const found = processesOf(mark);
    return found.length >= 3 ? found : null;
  });
  const worker = system.pidOf('worker');
  expect(firstProcesses).not.toContain(worker);

  const killedAt = Date.now();
  process.kill(worker, 'SIGKILL');
  await until('the end of the old command', () => (processesOf(mark).length === 0 ? true : null), 5_000);
  await ended(system.client, id);
  expect(Date.now() - killedAt).toBeLessThan(TAKEN_OVER_WITHIN_MS);

  const [job] = await expectAllWhole(system.client, [id]);
  expect(job?.steps.map(({ key, attempt }) => [key, attempt])).toEqual([
    ['before', 1],
    ['slow', 2],
    ['after', 1],
  ]);
  const events = await eventsOf(system.client, id);
  expect(events.filter(({ type }) => type === 'job.started')).toHaveLength(1);
  expect(events.flatMap(({ type, payload }) => (type === 'step.retrying' ? [payload?.['reason']] : []))).toEqual([
    'INTERRUPTED',
  ]);
  expect(system.log()).toContain('ended unexpectedly');
}

describeWithBubblewrap('a worker that is killed while a sandboxed command runs', () => {
  it('leaves no process behind, and the job is finished by its successor', async () => {
    const system = await openSystem({ SANDBOX: 'bubblewrap' });
    await killInTheMiddle(system);
    await system.close();
  }, 90_000);

  describeWithRedis('with the queue on Redis', () => {
    it('leaves no process behind, and the job is finished by its successor', async () => {
      const redis = await startRedis();
      const system = await openSystem({ SANDBOX: 'bubblewrap', REDIS_URL: redis.url });
      await killInTheMiddle(system);
      await system.close();
      await redis.stop();
    }, 90_000);
  });
});
