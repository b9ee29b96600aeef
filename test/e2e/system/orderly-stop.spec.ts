import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem } from '#testing';
import { processesOf } from '../processes.js';
import { clientOf, ended, eventsOf, expectAllWhole } from './system-fixture.js';

const GRACE_MS = 1_000;

describe('a system that is stopped while steps run', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'runledger-stop-'));
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));

  it('gives them their grace, interrupts what is left, and goes on at the next start', async () => {
    const env = { SANDBOX: 'process', SHUTDOWN_GRACE_MS: String(GRACE_MS) };
    const first = await startSystem({ dataDir, env });
    const before = clientOf(first);
    const command = (text: string): object => ({ name: text, steps: [{ key: 'work', type: 'COMMAND', run: text }] });
    const long = await before.submit(
      command(`echo begun; [ "$RUNLEDGER_ATTEMPT" = 2 ] || sleep 300; echo "done=yes" >> "$RUNLEDGER_OUTPUT"`),
    );
    const short = await before.submit(command('echo begun; sleep 0.5'));
    for (const { id } of [short, long])
      for await (const item of before.followJob(id)) if (item.kind === 'output') break;

    const stoppedAt = Date.now();
    expect(await first.stop()).toBe(0);
    expect(Date.now() - stoppedAt).toBeGreaterThanOrEqual(GRACE_MS);
    expect(processesOf(dataDir)).toEqual([]);
    expect(existsSync(join(dataDir, 'postgres/data/postmaster.pid'))).toBe(false);

    const second = await startSystem({ dataDir, env });
    const after = clientOf(second);
    const startedAt = Date.now();
    await ended(after, long.id);
    // The lease was given back: nobody had to wait for its end.
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    const jobs = await expectAllWhole(after, [short.id, long.id]);
    expect(jobs.map(({ steps }) => [steps[0]?.attempt, steps[0]?.outputs])).toEqual([
      [1, {}],
      [2, { done: 'yes' }],
    ]);
    const events = await eventsOf(after, long.id);
    expect(events.filter(({ type }) => type === 'step.retrying')).toHaveLength(1);
    expect(await second.stop()).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
  }, 120_000);
});
