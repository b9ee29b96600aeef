import { release } from 'node:os';
import { dirname } from 'node:path';
import { messageOf, systemClock } from '#kernel';
import {
  GROUP_FILE,
  HOSTS_FILE,
  isolationArguments,
  PASSWD_FILE,
  systemMounts,
  WORKDIR,
  type MemoryFolders,
} from './bubblewrap-mounts.js';
import { probeBubblewrap, type Bubblewrap } from './bubblewrap-probe.js';
import { commandEnvironment, makeScratch, missingWorkdir, type SandboxDriverOptions } from './run-environment.js';
import type { OutputSink, SandboxCommand, SandboxDriver, SandboxLimits, SandboxResult } from './driver.js';
import { cgroupLimits, limitFacts } from './limit-facts.js';
import { RunCgroup } from './run-cgroup.js';
import { notRun } from './run-failures.js';
import { endAbandonedRuns } from './run-tag.js';
import { findShell, SCRIPT_FD, supervisorCommand } from './shell-script.js';
import { superviseCommand, type Isolation } from './supervised-run.js';

type Working = Extract<Bubblewrap, { path: string }>;

// Descriptors by which bubblewrap gets what must not stand on its command line, which everybody on the host can read.
const ARGUMENTS_FD = SCRIPT_FD + 1;
const PASSWD_FD = SCRIPT_FD + 2;
const GROUP_FD = SCRIPT_FD + 3;
const HOSTS_FD = SCRIPT_FD + 4;
const SECCOMP_FD = SCRIPT_FD + 5;

const MAX_TMP_BYTES = 1024 * 1024 * 1024;
const MAX_SHM_BYTES = 64 * 1024 * 1024;

/**
 * Runs commands in a sandbox of namespaces made by bubblewrap: no network unless it is given, no process but its own, no host file but
 * the system's programs and what the command names, no capability, an ordinary user inside, and a filter of system calls. Ending the
 * sandbox ends all that is in it.
 */
export class BubblewrapDriver implements SandboxDriver {
  readonly name = 'bubblewrap';
  private working: Working | undefined;

  constructor(private readonly options: SandboxDriverOptions = {}) {}

  workdirInside(): string {
    return WORKDIR;
  }

  async unavailable(): Promise<string | null> {
    const found = await this.find();
    return 'reason' in found ? found.reason : null;
  }

  endAbandonedRuns(): Promise<number> {
    return endAbandonedRuns();
  }

  async run(command: SandboxCommand, onOutput: OutputSink, stop: AbortSignal): Promise<SandboxResult> {
    const startedAt = systemClock.now();
    const facts = { driver: this.name };
    const bubblewrap = await this.find();
    if ('reason' in bubblewrap)
      return notRun({ code: 'SANDBOX_UNAVAILABLE', message: bubblewrap.reason }, startedAt, facts);
    const missing = await missingWorkdir(command);
    if (missing !== null) return notRun(missing, startedAt, facts);
    try {
      return await superviseCommand(await this.isolate(bubblewrap, command), command, onOutput, stop);
    } catch (error) {
      return notRun({ code: 'SANDBOX_UNAVAILABLE', message: messageOf(error) }, startedAt, facts);
    }
  }

  /** A bubblewrap that worked once is not tried again; one that did not may have been installed since. */
  private async find(): Promise<Bubblewrap> {
    if (this.working !== undefined) return this.working;
    const found = await probeBubblewrap(this.options.bubblewrapPath);
    if ('path' in found) this.working = found;
    return found;
  }

  private async isolate(bubblewrap: Working, command: SandboxCommand): Promise<Isolation> {
    const { limits, network = 'none' } = command;
    const folders = memoryFolders(limits);
    const cgroup = this.options.cgroups === false ? null : RunCgroup.create(cgroupLimits(limits));
    const bounds = { memory: cgroup?.boundsMemory !== true, processes: countsProcessesBySandbox() };
    const inputs = [Buffer.from(PASSWD_FILE), Buffer.from(GROUP_FILE), Buffer.from(HOSTS_FILE)];
    const args = [
      ...isolationArguments(bubblewrap.features, network),
      ...systemMounts(bubblewrap.features, folders, network),
      ...(network === 'none' ? ['--ro-bind-data', String(HOSTS_FD), '/etc/hosts'] : []),
      ...commandMounts(command),
      ...environment(command),
      ...(bubblewrap.seccomp === null ? [] : ['--seccomp', String(SECCOMP_FD)]),
    ];
    const launch = {
      file: bubblewrap.path,
      args: ['--args', String(ARGUMENTS_FD), '--', ...supervisorCommand(findShell(), limits, bounds)],
      cwd: '/',
      // Not the command's: bubblewrap itself runs outside of the sandbox, and would heed an LD_PRELOAD.
      env: {},
      inputs: [Buffer.from(args.map((arg) => `${arg}\0`).join('')), ...inputs, bubblewrap.seccomp ?? Buffer.alloc(0)],
    };
    return {
      launch: cgroup?.around(launch) ?? launch,
      tree: { supervisors: 3, namespace: true, tag: null, cgroup },
      scratch: await makeScratch(this.options),
      writable: [command.workdir],
      launchFailure: 'SANDBOX_UNAVAILABLE',
      facts: {
        driver: this.name,
        network,
        userNamespace: true,
        capabilities: 'none',
        noNewPrivileges: true,
        seccomp: bubblewrap.seccomp === null ? 'none' : 'denylist',
        ...limitFacts(cgroup, bounds),
        tmpBytes: bubblewrap.features.has('--size') ? folders.tmpBytes : 'unlimited',
      },
    };
  }
}

/** Half of the memory at most is for folders in it, so that a full one is told to its writer, and not to the whole command. */
function memoryFolders({ memoryBytes, diskBytes }: SandboxLimits): MemoryFolders {
  return {
    tmpBytes: Math.min(Math.floor((memoryBytes * 3) / 8), diskBytes, MAX_TMP_BYTES),
    shmBytes: Math.min(Math.floor(memoryBytes / 8), MAX_SHM_BYTES),
  };
}

function commandMounts(command: SandboxCommand): string[] {
  return [
    '--ro-bind-data',
    String(PASSWD_FD),
    '/etc/passwd',
    '--ro-bind-data',
    String(GROUP_FD),
    '/etc/group',
    ...command.readOnlyPaths.flatMap((path) => ['--ro-bind', path, path]),
    '--bind',
    command.workdir,
    WORKDIR,
    '--chdir',
    WORKDIR,
    // Last: the root is a tmpfs without a size.
    '--remount-ro',
    '/',
  ];
}

function environment(command: SandboxCommand): string[] {
  const variables = commandEnvironment(command, dirname(process.execPath), '/tmp');
  return Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]);
}

/**
 * RLIMIT_NPROC counts the processes of one user namespace since Linux 5.14, before that all of the user's on the host; and it never
 * binds root, whom a sandbox started by root still is to the kernel.
 */
function countsProcessesBySandbox(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return process.getuid?.() !== 0 && (major > 5 || (major === 5 && minor >= 14));
}
