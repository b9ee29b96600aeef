import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandboxDriver, type DockerOptions, type SandboxDriverName } from '#sandbox';
import { describeWithBubblewrap } from '#testing';
import { StandInEngine } from './engine/stand-in-engine.js';
import { SandboxFixture } from './sandbox-fixture.js';

/** A suite that every driver must pass. */
export type DriverSuite = (name: SandboxDriverName, sandbox: () => SandboxFixture) => void;

/** Where the tests look for an engine, and what they run in it. */
const DOCKER: DockerOptions = {
  image: process.env['SANDBOX_DOCKER_IMAGE'] ?? 'node:20-bookworm',
  socket: process.env['SANDBOX_DOCKER_SOCKET'] ?? '/var/run/docker.sock',
};

const noDocker = await createSandboxDriver('docker', { docker: DOCKER }).unavailable();

/** Runs one suite against every driver: what a driver keeps, isolation or none. */
export function describeDrivers(name: string, suite: DriverSuite): void {
  describe(`process driver: ${name}`, against('process', suite));
  describeIsolatingDrivers(name, suite);
}

/** Runs one suite against the drivers that isolate. */
export function describeIsolatingDrivers(name: string, suite: DriverSuite): void {
  describeWithBubblewrap(`bubblewrap driver: ${name}`, against('bubblewrap', suite));
  if (noDocker === null) {
    describe(`docker driver: ${name}`, against('docker', suite, DOCKER));
    return;
  }
  process.stderr.write(`left out: docker driver: ${name}, because ${noDocker}\n`);
  describe.skip(`docker driver: ${name}`, against('docker', suite));
}

/** Runs one suite against the Docker driver with an engine that is none: what it asks for and what it makes of the answers. */
export function describeWithStandIn(
  name: string,
  suite: (sandbox: () => SandboxFixture, engine: () => StandInEngine) => void,
): void {
  describeWithBubblewrap(`docker driver on a stand-in engine: ${name}`, () => {
    let folder: string;
    let engine: StandInEngine;
    let fixture: SandboxFixture;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'engine-'));
      engine = await StandInEngine.listen(join(folder, 'engine.sock'));
    });
    afterAll(async () => {
      await engine.close();
      rmSync(folder, { recursive: true });
    });
    beforeEach(() => {
      fixture = new SandboxFixture('docker', { docker: { image: 'stand-in:1', socket: join(folder, 'engine.sock') } });
    });
    afterEach(async () => {
      // The engine's ends of its connections close a moment after ours.
      await engine.quiet();
      await fixture.close();
      expect(engine.containers.size).toBe(0);
    });
    suite(
      () => fixture,
      () => engine,
    );
  });
}

function against(driver: SandboxDriverName, suite: DriverSuite, docker?: DockerOptions): () => void {
  return () => {
    let fixture: SandboxFixture;
    beforeEach(() => {
      fixture = new SandboxFixture(driver, docker === undefined ? {} : { docker });
    });
    afterEach(() => fixture.close());
    suite(driver, () => fixture);
  };
}
