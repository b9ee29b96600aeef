import {
  hasEnvironment,
  processTable,
  proportionalBytes,
  type ProcessEntry,
  type ProcessTable,
} from './process-table.js';
import type { RunCgroup } from './run-cgroup.js';

export interface ProcessTreeOptions {
  /** The process that the driver started. */
  rootPid: number;
  /**
   * The first of a line of supervisors, each the eldest child of the one before, that are not the command's: the shell around the
   * script, and bubblewrap's two processes above it.
   */
  supervisors: number;
  /** True when the second supervisor is the init of a PID namespace: killing it kills all, at once and without a race. */
  namespace: boolean;
  /** `NAME=value` in the environment of every process of the tree, to find those that left their parent and session; null when none can. */
  tag: string | null;
  /** The control groups that all of it is in, where there are any. */
  cgroup: RunCgroup | null;
}

/** All processes that one command has started, found again at every look. */
export class ProcessTree {
  private members = new Map<number, string>();
  private strangers = new Map<number, string>();
  private asked = new Map<number, string>();
  private supervisors: number[];
  private found: ProcessEntry[] = [];

  constructor(private readonly options: ProcessTreeOptions) {
    this.supervisors = [options.rootPid];
  }

  /** The command's processes, without those that look after them. Zombies are among them. */
  commands(maxAgeMs: number): ProcessEntry[] {
    const table = processTable(maxAgeMs);
    this.found = this.findMembers(table);
    this.members = new Map(this.found.map((entry) => [entry.pid, entry.startedAt]));
    this.supervisors = this.findSupervisors(table);
    return this.found.filter((entry) => !this.supervisors.includes(entry.pid));
  }

  /** The last of the supervisors, which is inside of the sandbox. */
  get innermostSupervisor(): number | null {
    return this.supervisors.length < this.options.supervisors ? null : (this.supervisors.at(-1) ?? null);
  }

  /** The command's processes that still run. */
  living(maxAgeMs: number): ProcessEntry[] {
    return this.commands(maxAgeMs).filter((entry) => !entry.zombie);
  }

  /** True when nothing of the tree runs any more, supervisors included. */
  isGone(): boolean {
    this.commands(0);
    return this.found.every((entry) => entry.zombie);
  }

  /** Asks the command's processes, not their supervisors, to end. */
  terminate(): void {
    for (const entry of this.living(0)) this.ask(entry);
  }

  /**
   * Asks those that came too late to be asked and whose parent has gone already: a shell may fork just before it gets its signal.
   * A process whose parent lives may be part of the parent's own cleaning up.
   */
  terminateOrphans(): void {
    const living = this.living(0);
    const pids = new Set(living.map((entry) => entry.pid));
    for (const entry of living) {
      if (!pids.has(entry.parent) && this.asked.get(entry.pid) !== entry.startedAt) this.ask(entry);
    }
  }

  private ask(entry: ProcessEntry): void {
    this.asked.set(entry.pid, entry.startedAt);
    send(entry.pid, 'SIGTERM');
  }

  /** Ends the whole tree, supervisors included. To be repeated until `isGone`: a process may fork while its parent is being killed. */
  kill(): void {
    this.options.cgroup?.forbidForks();
    const [root, init] = this.supervisors;
    // Without another look, which takes long just when there are too many processes.
    if (this.options.namespace && init !== undefined) return send(init, 'SIGKILL');
    this.commands(0);
    if (this.options.namespace) return send(this.supervisors[1] ?? root ?? this.options.rootPid, 'SIGKILL');
    const running = this.found.filter((entry) => !entry.zombie);
    // A group is killed in one stroke, which a fork bomb cannot outrun.
    for (const group of new Set(running.map((entry) => entry.group))) if (group > 1) send(-group, 'SIGKILL');
    for (const entry of running) send(entry.pid, 'SIGKILL');
  }

  /** What the processes occupy together. RSS counts a shared page once for each of them, so a sum beyond `limit` is counted again as PSS. */
  static memoryBytes(entries: ProcessEntry[], limit: number): number {
    const total = entries.reduce((sum, entry) => sum + entry.rssBytes, 0);
    if (total <= limit) return total;
    return entries.reduce((sum, entry) => sum + (proportionalBytes(entry.pid) ?? entry.rssBytes), 0);
  }

  /** A process belongs to the tree when it was in it, or its parent or session is, or it carries the tag. */
  private findMembers(table: ProcessTable): ProcessEntry[] {
    const isMember = new Set<number>();
    const sessions = new Set<number>();
    let open = [...table.values()];
    const admit = (belongs: (entry: ProcessEntry) => boolean): void => {
      for (let before = -1; before !== isMember.size;) {
        before = isMember.size;
        open = open.filter((entry) => {
          if (!belongs(entry)) return true;
          isMember.add(entry.pid);
          sessions.add(entry.session);
          return false;
        });
      }
    };
    const listed = new Set(this.options.cgroup?.processIds());
    admit((entry) => this.wasMember(entry) || listed.has(entry.pid));
    admit((entry) => isMember.has(entry.parent) || sessions.has(entry.session));
    if (this.options.tag !== null && this.admitTagged(open, isMember, sessions)) {
      open = open.filter((entry) => !isMember.has(entry.pid));
      admit((entry) => isMember.has(entry.parent) || sessions.has(entry.session));
    }
    this.strangers = new Map(open.map((entry) => [entry.pid, entry.startedAt]));
    return [...table.values()].filter((entry) => isMember.has(entry.pid));
  }

  private wasMember(entry: ProcessEntry): boolean {
    if (entry.pid === this.options.rootPid && this.members.size === 0) return true;
    return this.members.get(entry.pid) === entry.startedAt;
  }

  /** Looks at the environment of each process once, when it is first seen: it is the one cost here that grows with the host. */
  private admitTagged(open: ProcessEntry[], isMember: Set<number>, sessions: Set<number>): boolean {
    const tagged = open.filter(
      (entry) => this.strangers.get(entry.pid) !== entry.startedAt && hasEnvironment(entry.pid, this.options.tag ?? ''),
    );
    for (const entry of tagged) {
      isMember.add(entry.pid);
      sessions.add(entry.session);
    }
    return tagged.length > 0;
  }

  private findSupervisors(table: ProcessTable): number[] {
    const line = [this.options.rootPid];
    while (line.length < this.options.supervisors) {
      const children = this.found.filter((entry) => entry.parent === line.at(-1) && table.has(entry.pid));
      const eldest = children.sort((a, b) => Number(a.startedAt) - Number(b.startedAt) || a.pid - b.pid)[0];
      if (eldest === undefined) break;
      line.push(eldest.pid);
    }
    return line;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
