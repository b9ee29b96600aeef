import {
  hasProc,
  nextProcessTable,
  processTable,
  proportionalBytes,
  readProcesses,
  type ProcessEntry,
  type ProcessTable,
} from './process-table.js';
import type { RunCgroup } from './run-cgroup.js';
import { taggedProcesses } from './tagged-processes.js';

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

/** What a control group says. */
interface Group {
  listed: ReadonlySet<number>;
  /** As they are now, of those that it lists and those that were members already; without the ones that have gone meanwhile. */
  present: ProcessTable;
}

/** Whom a signal goes to is read this shortly before: what forks later is asked or killed at the next look. */
const SIGNAL_AGE_MS = 5;
/** Less than the time between two strikes, so that each sees what the one before has left. */
const STRIKE_AGE_MS = 15;
/** With a control group, only what has left it is looked for in the table of the host. */
const STRAY_AGE_MS = 1_000;

/**
 * All processes that one command has started, found again at every look.
 *
 * The table of the host is dear and shared by all commands of this worker; a control group is cheap and exact. How fresh a look must be:
 * - counting against the limits: some milliseconds old, since more processes and memory than allowed are still so;
 * - whom to signal: the same, because whoever was missed is asked as an orphan, or killed by the next strike;
 * - that nothing is left: by a reading that began after the question, for this verdict lets the supervisor and the guard go. What a
 *   control group lists proves the contrary without one. In a sandbox nothing can leave the group, so that there it proves both.
 */
export class ProcessTree {
  private members = new Map<number, string>();
  private asked = new Map<number, string>();
  private supervisors: number[];
  private found: ProcessEntry[] = [];

  constructor(private readonly options: ProcessTreeOptions) {
    this.supervisors = [options.rootPid];
    // At once, while its pid cannot be another's yet.
    const root = hasProc ? readProcesses([options.rootPid]).get(options.rootPid) : undefined;
    if (root !== undefined) this.members.set(root.pid, root.startedAt);
  }

  /** The command's processes, without those that look after them. Zombies are among them. */
  commands(maxAgeMs: number): ProcessEntry[] {
    const { cgroup } = this.options;
    if (cgroup === null) this.update(this.findMembers(processTable(maxAgeMs)));
    else this.lookAtGroup(this.readGroup(cgroup), () => processTable(STRAY_AGE_MS));
    return this.found.filter((entry) => !this.supervisors.includes(entry.pid));
  }

  /** True when something of the command still runs, by a look that began after this call. */
  async hasLeft(): Promise<boolean> {
    return this.stillRuns((entry) => !this.supervisors.includes(entry.pid));
  }

  /** True when nothing of the tree runs any more, supervisors included, by a look that began after this call. */
  async isGone(): Promise<boolean> {
    return !(await this.stillRuns(() => true));
  }

  private async stillRuns(counts: (entry: ProcessEntry) => boolean): Promise<boolean> {
    const { cgroup } = this.options;
    const somebody = (): boolean => this.found.some((entry) => !entry.zombie && counts(entry));
    if (cgroup !== null) {
      const group = this.readGroup(cgroup);
      this.lookAtGroup(group, () => processTable(STRAY_AGE_MS));
      if (somebody() || !this.hasSettled(cgroup, group)) return true;
      if (this.isContained) return false;
    }
    const table = await nextProcessTable();
    if (cgroup === null) {
      this.update(this.findMembers(table));
      return somebody();
    }
    const group = this.readGroup(cgroup);
    this.lookAtGroup(group, () => table);
    return somebody() || !this.hasSettled(cgroup, group);
  }

  /**
   * True when the control group lists all of the tree: a sandbox does not show the groups to what is in it. Besides, its init is one of
   * the members, and the kernel ends a PID namespace before its init.
   */
  private get isContained(): boolean {
    return this.options.namespace && this.options.cgroup !== null;
  }

  private readGroup(cgroup: RunCgroup): Group {
    const listed = new Set(cgroup.processIds());
    return { listed, present: readProcesses(new Set([...this.members.keys(), ...listed])) };
  }

  /** False when a process that was read as ended had started another just before: the dead that were read cannot any more. */
  private hasSettled(cgroup: RunCgroup, group: Group): boolean {
    return cgroup.processIds().every((pid) => group.listed.has(pid));
  }

  /** Finds the members by the group, and those that have left it by the table of the host, which may be older and is checked. */
  private lookAtGroup({ listed, present }: Group, host: () => ProcessTable): void {
    if (this.isContained) return this.update(this.findMembers(present, listed, null));
    const table = host();
    const members = this.findMembers(new Map([...table, ...present]), listed, table);
    const strays = members.filter((entry) => !present.has(entry.pid));
    const now = readProcesses(strays.map((entry) => entry.pid));
    this.update(
      members.flatMap((entry) => {
        if (present.has(entry.pid)) return [entry];
        const again = now.get(entry.pid);
        return again?.startedAt === entry.startedAt ? [again] : [];
      }),
    );
  }

  private update(found: ProcessEntry[]): void {
    this.found = found;
    this.members = new Map(found.map((entry) => [entry.pid, entry.startedAt]));
    this.supervisors = this.findSupervisors();
  }

  /** The last of the supervisors, which is inside of the sandbox. */
  get innermostSupervisor(): number | null {
    return this.supervisors.length < this.options.supervisors ? null : (this.supervisors.at(-1) ?? null);
  }

  /** The command's processes that still run. */
  living(maxAgeMs: number): ProcessEntry[] {
    return this.commands(maxAgeMs).filter((entry) => !entry.zombie);
  }

  /** Asks the command's processes, not their supervisors, to end. */
  terminate(): void {
    for (const entry of this.living(SIGNAL_AGE_MS)) this.ask(entry);
  }

  /**
   * Asks those that came too late to be asked and whose parent has gone already: a shell may fork just before it gets its signal.
   * A process whose parent lives may be part of the parent's own cleaning up.
   */
  terminateOrphans(): void {
    const living = this.living(STRIKE_AGE_MS);
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
    this.commands(STRIKE_AGE_MS);
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

  /**
   * A process belongs to the tree when it was in it, or its parent or session is, or its control group lists it, or it carries the tag.
   * @param tagsOf the table of the host, where the tag is looked for
   */
  private findMembers(
    table: ProcessTable,
    group: ReadonlySet<number> = new Set(),
    tagsOf: ProcessTable | null = table,
  ): ProcessEntry[] {
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
    const { tag } = this.options;
    const listed = new Set(group);
    for (const entry of tag === null || tagsOf === null ? [] : taggedProcesses(tagsOf, tag)) {
      if (table.get(entry.pid)?.startedAt === entry.startedAt) listed.add(entry.pid);
    }
    admit((entry) => this.wasMember(entry) || listed.has(entry.pid));
    admit((entry) => isMember.has(entry.parent) || sessions.has(entry.session));
    return [...table.values()].filter((entry) => isMember.has(entry.pid));
  }

  private wasMember(entry: ProcessEntry): boolean {
    if (!hasProc && entry.pid === this.options.rootPid && this.members.size === 0) return true;
    return this.members.get(entry.pid) === entry.startedAt;
  }

  private findSupervisors(): number[] {
    const line = [this.options.rootPid];
    while (line.length < this.options.supervisors) {
      const children = this.found.filter((entry) => entry.parent === line.at(-1));
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
