import type { SandboxDriverName } from '#sandbox';
import { describeWithBubblewrap } from '#testing';
import { SandboxFixture } from './sandbox-fixture.js';

/** Runs one suite against every driver: what a driver keeps, isolation or none. */
export function describeDrivers(
  name: string,
  suite: (name: SandboxDriverName, sandbox: () => SandboxFixture) => void,
): void {
  const against = (driver: SandboxDriverName) => (): void => {
    let fixture: SandboxFixture;
    beforeEach(() => {
      fixture = new SandboxFixture(driver);
    });
    afterEach(() => fixture.close());
    suite(driver, () => fixture);
  };
  describe(`process driver: ${name}`, against('process'));
  describeWithBubblewrap(`bubblewrap driver: ${name}`, against('bubblewrap'));
}
