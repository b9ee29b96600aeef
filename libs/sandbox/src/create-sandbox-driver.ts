import { assertNever } from '#kernel';
import { BubblewrapDriver } from './bubblewrap.driver.js';
import { DockerDriver } from './docker/docker.driver.js';
import type { SandboxDriverOptions } from './run-environment.js';
import type { SandboxDriver } from './driver.js';
import { ProcessDriver } from './process.driver.js';

export type SandboxDriverName = 'bubblewrap' | 'docker' | 'process';

/** Makes the driver of this name; whether it works on this host is for `unavailable()` to say. */
export function createSandboxDriver(name: SandboxDriverName, options: SandboxDriverOptions = {}): SandboxDriver {
  switch (name) {
    case 'bubblewrap':
      return new BubblewrapDriver(options);
    case 'docker':
      return new DockerDriver(options);
    case 'process':
      return new ProcessDriver(options);
    default:
      return assertNever(name);
  }
}
