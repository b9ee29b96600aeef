import { hasBubblewrap } from './bubblewrap.js';
import { hasRedis } from './redis.js';

/** A suite that needs `redis-server` on the PATH. Left out with one line where it is missing, except in CI: there it fails. */
export function describeWithRedis(name: string, suite: () => void): void {
  describeIf(hasRedis(), 'redis-server', name, suite);
}

/** A suite that needs a working `bwrap` on the PATH; otherwise as `describeWithRedis`. */
export function describeWithBubblewrap(name: string, suite: () => void): void {
  describeIf(hasBubblewrap(), 'bubblewrap', name, suite);
}

function describeIf(available: boolean, requirement: string, name: string, suite: () => void): void {
  if (available) {
    describe(name, suite);
    return;
  }
  if (process.env['CI'] === 'true') {
    describe(name, () => {
      it(`needs ${requirement}`, () => {
        throw new Error(`${requirement} is not installed; in CI these tests must run`);
      });
    });
    return;
  }
  process.stderr.write(`left out, because ${requirement} is not installed: ${name}\n`);
  describe.skip(name, suite);
}
