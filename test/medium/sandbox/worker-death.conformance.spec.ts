import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { endAbandonedRuns, type SandboxDriverName } from '#sandbox';
import { describeWithBubblewrap } from '#testing';
import { HIDING, hiding } from './hiding.js';
import { processesWith } from './host-processes.js';

jest.setTimeout(60_000);

const RUN_COMMAND = 'test/medium/sandbox/run-command.mjs';
/** Far more than it takes, and far less than the commands would: the guard is a shell, and slow where others need the processors. */
const GONE_WITHIN_MS = 10_000;
/** Scripts that make the files `up-*`, so many, when all of their processes are there. */
const SCRIPTS: [name: string, script: string, ups: number][] = [
  ['that ignores SIGTERM', 'trap "" TERM; touch up-1; sleep 33.33; sleep 33.34', 1],
  [
    'with a grandchild in a session of its own that ignores SIGTERM',
    `(setsid sh -c 'trap "" TERM; touch up-1; while :; do sleep 1; done' &); touch up-2; sleep 33`,
    2,
  ],
  [
    'with one that has left its parent, its session and its pipes',
    `setsid sh -c 'setsid sh -c "touch up-1; exec sleep 33" <&- >&- 2>&- &'; touch up-2; sleep 33`,
    2,
  ],
  ['that has stopped its supervisor', 'setsid sleep 33 & kill -STOP $PPID; touch up-1; sleep 33', 1],
];

describe.each<SandboxDriverName>(['process', 'bubblewrap'])('the death of the worker: %s driver', (driver) => {
  const suite = driver === 'bubblewrap' ? describeWithBubblewrap : describe;
  suite('kills', () => {
    let folder: string;
    let mark: string;
    let worker: ChildProcess;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'worker-death-'));
      mkdirSync(join(folder, 'workdir'));
      mkdirSync(join(folder, 'scratch'));
      mark = randomUUID();
    });
    afterEach(() => {
      worker.kill('SIGKILL');
      for (const line of processesWith(mark)) process.kill(Number.parseInt(line), 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    async function startWorker(script: string, ups: number, options = '{}'): Promise<void> {
      const args = [RUN_COMMAND, driver, join(folder, 'workdir'), join(folder, 'scratch'), mark, script, options];
      worker = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const up = (): number => readdirSync(join(folder, 'workdir')).filter((name) => name.startsWith('up-')).length;
      await until(() => up() >= ups || worker.exitCode !== null, 15_000);
      expect(up()).toBe(ups);
    }

    async function killWorker(): Promise<void> {
      const exited = once(worker, 'exit');
      worker.kill('SIGKILL');
      await exited;
    }

    it.each(SCRIPTS)('a command %s', async (_, script, ups) => {
      await startWorker(script, ups);
      expect(processesWith(mark).length).toBeGreaterThan(1);
      await killWorker();
      await until(() => processesWith(mark).length === 0, GONE_WITHIN_MS);
      expect(processesWith(mark)).toEqual([]);
      // What watched it goes too, and leaves no file behind.
      const scratch = join(folder, 'scratch');
      await until(() => readdirSync(scratch).length === 0 && processesWith(scratch).length === 0, GONE_WITHIN_MS);
      expect(readdirSync(scratch)).toEqual([]);
      expect(processesWith(scratch)).toEqual([]);
    });

    if (driver === 'bubblewrap') return;
    it('a command that hides from it, with control groups or without', async () => {
      for (const options of ['{}', '{"cgroups":false}']) {
        rmSync(join(folder, 'workdir/up-1'), { force: true });
        await startWorker(`${HIDING}; touch up-1; sleep 33`, 1, options);
        expect(hiding()).toHaveLength(1);
        await killWorker();
        await until(() => hiding().length === 0, GONE_WITHIN_MS);
        expect(hiding()).toEqual([]);
      }
    });

    it('at the start of the next one, a command whose guard was killed as well; one whose worker lives is left alone', async () => {
      await startWorker('setsid sleep 33 & touch up-1; sleep 33', 1);
      // Not `setsid sleep 33`, which it is until setsid has become it.
      const sleeps = (): number => commandOf(mark).filter((line) => /^\d+ sleep 33$/.test(line)).length;
      await until(() => sleeps() === 2, 5_000);
      const command = commandOf(mark);
      await endAbandonedRuns();
      expect(commandOf(mark)).toEqual(command);

      const [guard = ''] = processesWith('runledger-guard').filter((line) => line.includes(folder));
      process.kill(Number.parseInt(guard), 'SIGKILL');
      await killWorker();
      expect(commandOf(mark)).toEqual(command);
      await expect(endAbandonedRuns()).resolves.toBe(command.length);
      expect(processesWith(mark)).toEqual([]);
    });
  });
});

/** The command's processes, without the worker. */
function commandOf(mark: string): string[] {
  return processesWith(mark).filter((line) => !line.includes(RUN_COMMAND));
}

async function until(isSo: () => boolean, withinMs: number): Promise<void> {
  const end = Date.now() + withinMs;
  while (!isSo() && Date.now() < end) await sleep(20);
}
