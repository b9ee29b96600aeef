import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, systemClock } from '#kernel';
import { commandEnvironment, makeScratch, missingWorkdir, type SandboxDriverOptions } from './run-environment.js';
import type { OutputSink, SandboxCommand, SandboxDriver, SandboxResult } from './driver.js';
import { cgroupLimits, limitFacts } from './limit-facts.js';
import { keepingOrphans } from './orphan-keeper.js';
import { hasProc } from './process-table.js';
import { RunCgroup } from './run-cgroup.js';
import { notRun } from './run-failures.js';
import { endAbandonedRuns, newRunTag } from './run-tag.js';
import { findShell, supervisorCommand } from './shell-script.js';
import { superviseCommand, type Isolation } from './supervised-run.js';
import { RUN_VARIABLE } from './tagged-processes.js';

/**
 * Runs commands as plain child processes of the worker: the same limits and the same endings, and no isolation at all. A command sees
 * the host's files and network and may act on the worker's other processes; one that wants to can also hide from its ending.
 */
export class ProcessDriver implements SandboxDriver {
  readonly name = 'process';

  private readonly facts = {
    driver: this.name,
    network: 'full',
    userNamespace: false,
    capabilities: process.getuid?.() === 0 ? 'host-root' : 'host-user',
    noNewPrivileges: false,
    seccomp: 'none',
    processTable: hasProc ? '/proc' : 'ps',
  };

  constructor(private readonly options: SandboxDriverOptions = {}) {}

  workdirInside(workdir: string): string {
    return workdir;
  }

  async unavailable(): Promise<string | null> {
    return process.platform === 'win32'
      ? 'commands need a POSIX shell; run the worker on Linux, macOS or in WSL'
      : null;
  }

  endAbandonedRuns(): Promise<number> {
    return endAbandonedRuns();
  }

  async run(command: SandboxCommand, onOutput: OutputSink, stop: AbortSignal): Promise<SandboxResult> {
    const startedAt = systemClock.now();
    const missing = await missingWorkdir(command);
    if (missing !== null) return notRun(missing, startedAt, this.facts);
    try {
      return await superviseCommand(await this.isolate(command), command, onOutput, stop);
    } catch (error) {
      return notRun({ code: 'COMMAND_NOT_STARTED', message: messageOf(error) }, startedAt, this.facts);
    }
  }

  private async isolate(command: SandboxCommand): Promise<Isolation> {
    const scratch = await makeScratch(this.options);
    const home = join(scratch, 'tmp');
    await mkdir(home);
    const run = newRunTag();
    const cgroup = this.options.cgroups === false ? null : RunCgroup.create(cgroupLimits(command.limits));
    // RLIMIT_NPROC would count everything else that this user runs on the host.
    const bounds = { memory: cgroup?.boundsMemory !== true, processes: false };
    const [file = '', ...args] = supervisorCommand(findShell(), command.limits, bounds);
    const env = { ...commandEnvironment(command, dirname(process.execPath), home), [RUN_VARIABLE]: run };
    const launch = { file, args, cwd: command.workdir, env, inputs: [] };
    const keeping = cgroup?.boundsProcesses === true ? null : keepingOrphans(launch);
    return {
      launch: cgroup?.around(launch) ?? keeping ?? launch,
      tree: { supervisors: 1, namespace: false, tag: `${RUN_VARIABLE}=${run}`, cgroup },
      scratch,
      writable: [command.workdir, home],
      launchFailure: 'COMMAND_NOT_STARTED',
      facts: {
        ...this.facts,
        ...limitFacts(cgroup, bounds),
        orphans: cgroup?.boundsProcesses === true ? 'cgroup' : keeping !== null ? 'subreaper' : 'tag',
      },
    };
  }
}
