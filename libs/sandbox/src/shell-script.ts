import { existsSync } from 'node:fs';
import type { SandboxLimits } from './driver.js';

/** The shells in order of preference; the script's dialect is said to be bash where there is one. */
const BASH_PATHS = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'];

export interface Shell {
  path: string;
  isBash: boolean;
}

/** The shell of this host. */
export function findShell(): Shell {
  const bash = BASH_PATHS.find((path) => existsSync(path));
  return bash === undefined ? { path: '/bin/sh', isBash: false } : { path: bash, isBash: true };
}

/** File descriptors that the supervising shell speaks on; 0 is the control, 1 and 2 are the command's output. */
export const STATUS_FD = 3;
export const SCRIPT_FD = 4;

/** What the supervisor says on its status descriptor: once when it is there, and once with the exit code. */
export const READY = 'ready';

/**
 * The supervisor: a shell around the script's shell. It sets the limits, waits for the script (never for what the script left in
 * the background), tells the exit code on STATUS_FD, and then stays until its control, descriptor 0, is closed: the driver uses that
 * time to end what was left, with signals and in order, before bubblewrap would take the whole namespace down at once.
 * It catches SIGTERM so that the signal ends the command and not the one who reports on it; the script gets the default back.
 */
const SUPERVISOR = `eval "$1"; shift
trap : TERM INT HUP QUIT
echo ${READY} >&${STATUS_FD}
( eval "$1"; shift; exec "$@" </dev/null ${STATUS_FD}>&- )
echo "$?" >&${STATUS_FD}
read -r _ || :`;

// What the worker itself has inherited from whoever started it is not for the command. Only bash can name descriptors beyond 9.
const CLOSE_INHERITED = `for fd in /dev/fd/*; do [ "\${fd##*/}" -le ${SCRIPT_FD} ] || eval "exec \${fd##*/}>&-"; done`;
const CLOSE_INHERITED_SH = 'exec 5>&- 6>&- 7>&- 8>&- 9>&-';

// The script comes through a descriptor: one argument may have 128 KiB at most, and everybody on the host can read arguments.
export const BASH_READER = `IFS= read -r -d '' -u ${SCRIPT_FD} RUNLEDGER_SCRIPT || :; exec ${SCRIPT_FD}<&-; eval "$RUNLEDGER_SCRIPT"`;
export const SH_READER = `RUNLEDGER_SCRIPT=$(cat <&${SCRIPT_FD}); exec ${SCRIPT_FD}<&-; eval "$RUNLEDGER_SCRIPT"`;

/** The kernel's bounds count threads, of which ordinary programs have a dozen: they hold a fork bomb until the watcher ends it. */
const THREADS_PER_PROCESS = 16;

/** The hard bound on threads and processes together, far above what the watcher lets pass. */
export function taskLimit(processes: number): number {
  return processes * THREADS_PER_PROCESS;
}

/**
 * RLIMIT_DATA bounds one process and stands above the limit of the tree, so that ordinary growth meets the watcher, which can say
 * why the command was ended. RLIMIT_AS is no choice: Node and WebAssembly reserve far more than they use.
 */
export function dataLimitBytes(memoryBytes: number): number {
  return Math.max(Math.ceil(memoryBytes * 1.25), memoryBytes + 256 * 1024 * 1024);
}

/** Which bounds the supervisor sets by `ulimit`, beside those that it always sets: where no control group does better. */
export interface ShellBounds {
  memory: boolean;
  processes: boolean;
}

/** The `ulimit` calls that bind the script's shell and all that it starts. */
function limitCommands(shell: Shell, limits: SandboxLimits, bounds: ShellBounds): string {
  const fileUnit = shell.isBash ? 1024 : 512;
  const calls = ['ulimit -c 0', `ulimit -f ${Math.ceil(limits.fileSizeBytes / fileUnit)}`];
  if (bounds.memory) calls.push(`ulimit -d ${Math.ceil(dataLimitBytes(limits.memoryBytes) / 1024)}`);
  if (bounds.processes) calls.push(`ulimit ${shell.isBash ? '-u' : '-p'} ${taskLimit(limits.processes)}`);
  // A hard limit of the worker that is lower already cannot be raised, and need not be.
  return calls.map((call) => `${call} 2>/dev/null || :`).join('; ');
}

/** The command line of the supervisor and, below it, of the script's shell. */
export function supervisorCommand(shell: Shell, limits: SandboxLimits, bounds: ShellBounds): string[] {
  const inner = shell.isBash
    ? [shell.path, '-eo', 'pipefail', '-c', BASH_READER, 'script']
    : [shell.path, '-e', '-c', SH_READER, 'script'];
  // -p: bash then takes no functions and no BASH_ENV from the command's environment.
  const outer = shell.isBash ? [shell.path, '-p', '-c'] : [shell.path, '-c'];
  const closing = shell.isBash ? CLOSE_INHERITED : CLOSE_INHERITED_SH;
  return [...outer, SUPERVISOR, 'supervisor', closing, limitCommands(shell, limits, bounds), ...inner];
}
