import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLimits } from '../driver.js';
import { kernelMemoryFailure, processFailure, type Failure } from '../run-failures.js';
import type { DockerContainer } from './docker-container.js';

/** Between two looks, each of which costs the engine a `ps`. */
const INTERVAL_MS = 1_000;

/** Tells when a container has outgrown its limits. The engine's control groups hold them; this is who says so, and ends the rest of it. */
export class ContainerWatch {
  peakMemoryBytes = 0;
  peakProcesses = 0;
  private readonly stopped = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  constructor(
    private readonly container: DockerContainer,
    private readonly limits: SandboxLimits,
    private readonly onExceeded: (failure: Failure) => void,
  ) {}

  start(): void {
    this.watching = this.watch().catch(() => undefined);
  }

  /** Asks a last time whether the kernel has ended it. To be called when it has ended and before it is removed. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.watching;
    await this.lookAtMemory().catch(() => undefined);
  }

  private async watch(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal: this.stopped.signal });
      // One that has ended between two calls is no longer asked for its processes.
      await Promise.allSettled([this.lookAtProcesses(), this.lookAtMemory(), this.measureMemory()]);
    }
  }

  private async lookAtProcesses(): Promise<void> {
    const processes = (await this.container.processes()) ?? 0;
    this.peakProcesses = Math.max(this.peakProcesses, processes);
    if (processes > this.limits.processes) this.onExceeded(processFailure(processes, this.limits.processes));
  }

  private async lookAtMemory(): Promise<void> {
    if (await this.container.outOfMemory()) this.onExceeded(kernelMemoryFailure(this.limits.memoryBytes));
  }

  private async measureMemory(): Promise<void> {
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, await this.container.memoryBytes());
  }
}
