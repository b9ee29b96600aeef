import type { SandboxLimits } from './driver.js';
import { lookRounds, type Watched } from './look-rounds.js';
import { ProcessTree } from './process-tree.js';
import { kernelMemoryFailure, mebibytes, processFailure, type Failure } from './run-failures.js';
import type { RunCgroup } from './run-cgroup.js';

/** A count that may end the command is at most this old. */
const COUNT_AGE_MS = 10;
/** So many more processes than at the look before, and the tree grows. */
const GROWTH = 4;
/** So much of its limit more than at the look before, and its memory does. */
const MEMORY_GROWTH_PART = 1 / 16;

/** Fresh looks before a tree is said to use too much memory. */
const DOUBTS = 3;

/** Looks at a tree of processes again and again and tells when it has outgrown its limits. */
export class LimitWatch implements Watched {
  peakMemoryBytes = 0;
  peakProcesses = 0;
  private processes = 0;
  private bytes = 0;

  constructor(
    private readonly tree: ProcessTree,
    private readonly cgroup: RunCgroup | null,
    private readonly limits: SandboxLimits,
    private readonly onExceeded: (failure: Failure) => void,
  ) {}

  start(): void {
    lookRounds.join(this);
  }

  /** Asks the kernel a last time: a command may have ended by its bound between two looks. */
  stop(): void {
    lookRounds.leave(this);
    this.askKernel();
  }

  /** @returns true when the tree grows */
  look(): boolean {
    if (this.askKernel()) return false;
    const commands = this.tree.commands(COUNT_AGE_MS);
    const grows = commands.length > this.processes + GROWTH;
    this.processes = commands.length;
    this.peakProcesses = Math.max(this.peakProcesses, commands.length);
    if (commands.length > this.limits.processes) {
      this.onExceeded(processFailure(commands.length, this.limits.processes));
      return grows;
    }
    const bytes = this.memoryBytes(commands);
    const swells = bytes > this.bytes + this.limits.memoryBytes * MEMORY_GROWTH_PART;
    this.bytes = bytes;
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, bytes);
    if (bytes > this.limits.memoryBytes) {
      this.onExceeded({
        code: 'MEMORY_LIMIT',
        message: `the command used ${mebibytes(bytes)} MiB of memory; its limit is ${mebibytes(this.limits.memoryBytes)} MiB (limits.memoryMb)`,
      });
    }
    return grows || swells;
  }

  /** Whether the kernel has ended a process for want of memory: the SIGKILL of nobody else looks like it. */
  private askKernel(): boolean {
    if (this.cgroup?.outOfMemory() !== true) return false;
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, this.cgroup.peakMemoryBytes() ?? 0);
    this.onExceeded(kernelMemoryFailure(this.limits.memoryBytes));
    return true;
  }

  /**
   * The memory of the tree. Processes are read one after the other: when some of those that share memory end in between, the rest seem to
   * have it all to themselves. So too much is believed only when fresh looks say the same; the least of them counts.
   */
  private memoryBytes(commands: ReturnType<ProcessTree['commands']>): number {
    let least = ProcessTree.memoryBytes(commands, this.limits.memoryBytes);
    for (let looks = 0; least > this.limits.memoryBytes && looks < DOUBTS; looks += 1) {
      least = Math.min(least, ProcessTree.memoryBytes(this.tree.commands(0), this.limits.memoryBytes));
    }
    return least;
  }
}
