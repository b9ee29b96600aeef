import { randomUUID } from 'node:crypto';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { messageOf, systemClock } from '#kernel';
import { GROUP_FILE, isolationArguments, PASSWD_FILE, systemMounts, WORKDIR } from './bubblewrap-mounts.js';
import { probeBubblewrap, type Bubblewrap } from './bubblewrap-probe.js';
import { commandEnvironment, makeScratch, missingWorkdir, type SandboxDriverOptions } from './run-environment.js';
import type { OutputSink, SandboxCommand, SandboxDriver, SandboxResult } from './driver.js';
import { findShell, SCRIPT_FD, supervisorCommand, taskLimit } from './shell-script.js';
import { ProcessCgroup } from './process-cgroup.js';
import { notRun, superviseCommand, type Isolation } from './supervised-run.js';

type Working = Extract<Bubblewrap, { path: string }>;

// Descriptors by which bubblewrap gets what must not stand on its command line, which everybody on the host can read.
const ARGUMENTS_FD = SCRIPT_FD + 1;
const PASSWD_FD = SCRIPT_FD + 2;
const GROUP_FD = SCRIPT_FD + 3;

const MAX_TMP_BYTES = 1024 * 1024 * 1024;

/**
 * Runs commands in a sandbox of namespaces made by bubblewrap: no network, no process but its own, no host file but the system's
 * programs and what the command names, no capability, an ordinary user inside. Ending the sandbox ends all that is in it.
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
    const tmpBytes = Math.min(command.limits.memoryBytes, MAX_TMP_BYTES);
    const processLimit = countsProcessesBySandbox();
    const inner = supervisorCommand(findShell(), command.limits, processLimit);
    const args = [
      ...isolationArguments(bubblewrap.features),
      ...mounts(bubblewrap, command, tmpBytes),
      ...environment(command),
    ];
    const launch = {
      file: bubblewrap.path,
      args: ['--args', String(ARGUMENTS_FD), '--', ...inner],
      cwd: '/',
      // Not the command's: bubblewrap itself runs outside of the sandbox, and would heed an LD_PRELOAD.
      env: {},
      inputs: [Buffer.from(args.map((arg) => `${arg}\0`).join('')), Buffer.from(PASSWD_FILE), Buffer.from(GROUP_FILE)],
    };
    const cgroup = ProcessCgroup.create(`runledger-${randomUUID()}`, taskLimit(command.limits.processes));
    return {
      launch: cgroup?.around(launch) ?? launch,
      tree: { supervisors: 3, namespace: true, tag: null, cgroup },
      scratch: await makeScratch(this.options),
      launchFailure: 'SANDBOX_UNAVAILABLE',
      facts: {
        driver: this.name,
        isolation: 'user,pid,net,ipc,uts,mount namespaces',
        network: 'none',
        memory: 'rlimit+watch',
        processes: [cgroup === null ? [] : 'cgroup', processLimit ? 'rlimit' : [], 'watch'].flat().join('+'),
        fileSize: 'rlimit',
        tmpBytes: bubblewrap.features.has('--size') ? tmpBytes : 'unlimited',
      },
    };
  }
}

function mounts(bubblewrap: Working, command: SandboxCommand, tmpBytes: number): string[] {
  return [
    ...systemMounts(bubblewrap.features, tmpBytes),
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
