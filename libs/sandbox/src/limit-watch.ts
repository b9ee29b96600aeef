import type { SandboxLimits } from './driver.js';
import { hasProc } from './process-table.js';
import { ProcessTree } from './process-tree.js';
import { kernelMemoryFailure, mebibytes, processFailure, type Failure } from './run-failures.js';
import type { RunCgroup } from './run-cgroup.js';

/** Between two looks at the tree; `ps` is a process of its own and costs more. */
const INTERVAL_MS = hasProc ? 100 : 500;
/** Looking takes half of the time at most; it must not become rare just because there are many processes to see. */
const COST_FACTOR = 1;

/** Fresh looks before a tree is said to use too much memory. */
const DOUBTS = 3;

/** Looks at a tree of processes again and again and tells when it has outgrown its limits. */
export class LimitWatch {
  peakMemoryBytes = 0;
  peakProcesses = 0;
  private processes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly tree: ProcessTree,
    private readonly cgroup: RunCgroup | null,
    private readonly limits: SandboxLimits,
    private readonly onExceeded: (failure: Failure) => void,
  ) {}

  start(): void {
    const began = performance.now();
    const before = this.processes;
    this.look();
    const cost = (performance.now() - began) * COST_FACTOR;
    // A tree that grows is looked at more often: a fork bomb doubles within milliseconds, and then leaves us no time to look.
    const interval = this.processes > before + 4 ? INTERVAL_MS / 5 : INTERVAL_MS;
    this.timer = setTimeout(() => this.start(), Math.max(interval, cost));
  }

  /** Asks the kernel a last time: a command may have ended by its bound between two looks. */
  stop(): void {
    clearTimeout(this.timer);
    this.askKernel();
  }

  private look(): void {
    if (this.askKernel()) return;
    const commands = this.tree.commands(INTERVAL_MS / 10);
    this.processes = commands.length;
    this.peakProcesses = Math.max(this.peakProcesses, commands.length);
    if (commands.length > this.limits.processes) {
      this.onExceeded(processFailure(commands.length, this.limits.processes));
      return;
    }
    const bytes = this.memoryBytes(commands);
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, bytes);
    if (bytes > this.limits.memoryBytes) {
      this.onExceeded({
        code: 'MEMORY_LIMIT',
        message: `the command used ${mebibytes(bytes)} MiB of memory; its limit is ${mebibytes(this.limits.memoryBytes)} MiB (limits.memoryMb)`,
      });
    }
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
