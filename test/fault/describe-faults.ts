import { hasBubblewrap } from '#testing';
import { killAtEveryCommit } from './commit-boundaries.js';
import { cutOff } from './cut-off.js';
import { crashPostgres } from './database-loss.js';
import { FaultSystem, type Backend } from './fault-system.js';
import { crashRedis, flushRedis } from './queue-loss.js';
import { LONG, scaled } from './scale.js';
import { killApiInSubmission } from './submission.js';
import { killWorkersAtRandom, killWorkerWithSandboxes } from './worker-kill.js';
import { pauseWorker } from './worker-pause.js';

const PATIENCE_MS = 240_000;
const BOTH: Backend[] = ['redis', 'postgres'];

/**
 * Every fault, one after the other, on one installation with this queue. In the short version a fault that has nothing to do with the queue
 * is done once, with one of them.
 */
export function describeFaults(backend: Backend): void {
  let system: FaultSystem;
  beforeAll(async () => {
    system = await FaultSystem.open(backend);
    await system.startApi();
  }, 90_000);
  afterEach(() => system.stopWorkers(), 60_000);
  afterAll(() => system.close(), 60_000);

  const fault = (name: string, inShort: Backend[], run: (system: FaultSystem) => Promise<void>): void => {
    if (LONG || inShort.includes(backend)) it(name, () => run(system), PATIENCE_MS);
  };

  fault('workers killed at random: their jobs go on with others', BOTH, killWorkersAtRandom);
  if (hasBubblewrap())
    fault(
      'a worker killed with its sandboxes: nothing of them is left, and their jobs go on',
      [],
      killWorkerWithSandboxes,
    );
  fault('workers killed right before a commit: it never was, and happens once', BOTH, (one) =>
    killAtEveryCommit(one, 'before', scaled({ short: [4], long: undefined })),
  );
  fault('workers killed right after a commit: it counts, and happens once', BOTH, (one) =>
    killAtEveryCommit(one, 'after', scaled({ short: backend === 'redis' ? [1] : [3], long: undefined })),
  );
  fault('a worker that sleeps past its lease: what it does afterwards counts for nothing', ['postgres'], (one) =>
    pauseWorker(one, 'while its successor works'),
  );
  fault('a worker that wakes up when its jobs are over: it changes nothing', [], (one) =>
    pauseWorker(one, 'when all is over'),
  );
  fault('an API killed around a commit: what was committed runs, the rest never was', ['redis'], killApiInSubmission);
  if (backend === 'redis') {
    fault('a Redis that loses everything: no job goes with it', BOTH, flushRedis);
    fault('a Redis that is killed: jobs are accepted, and all go on when it is back', BOTH, crashRedis);
    fault('workers cut off from Redis: their jobs go on', [], (one) => cutOff(one, 'Redis', ['silence', 'reset']));
  }
  fault(
    'a PostgreSQL that stops in the middle of everything: what was committed is there',
    ['postgres'],
    crashPostgres,
  );
  fault('workers cut off from PostgreSQL: others take their jobs, and they come back', [], (one) =>
    cutOff(one, 'PostgreSQL', ['silence', 'reset']),
  );
}
