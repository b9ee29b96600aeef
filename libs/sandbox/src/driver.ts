import type { ErrorCode } from '#kernel';

/** The bounds of one command. A tree of processes that crosses one is ended as a whole. */
export interface SandboxLimits {
  /** Wall time. */
  timeoutMs: number;
  memoryBytes: number;
  processes: number;
  /** The largest file that the command may write. */
  fileSizeBytes: number;
}

/** One command to run. */
export interface SandboxCommand {
  /** A shell script, given to `bash -eo pipefail` (or `sh -e` where there is no bash). */
  script: string;
  /** Absolute host path, writable, the working directory of the script; seen under `/workdir` where the driver can. */
  workdir: string;
  /** The whole environment of the command besides what the driver itself sets (PATH, HOME, TMPDIR, LANG). */
  env: Record<string, string>;
  /** Host paths that the command may read, at the same path. */
  readOnlyPaths: string[];
  limits: SandboxLimits;
  /** Between SIGTERM and SIGKILL when the command is stopped from outside or overruns its time. */
  graceMs: number;
}

/** How a command ended. Never an exception: a driver that cannot run at all answers with `failure`. */
export interface SandboxResult {
  exitCode: number | null;
  /** The signal that ended the script's shell, such as `SIGKILL`. */
  signal: string | null;
  /** Null when the shell ended by itself, whatever its exit code. */
  failure: { code: ErrorCode; message: string } | null;
  /** RFC 3339. */
  startedAt: string;
  endedAt: string;
  /** Signals that the driver sent to the tree, in order. */
  signalsSent: string[];
  /** Facts about the isolation and limits in force, for the record: `{ driver, memory: 'rlimit+watch', ... }`. */
  facts: Record<string, string | number | boolean>;
}

export type OutputStream = 'stdout' | 'stderr';

/** Runs commands apart from the worker. */
export interface SandboxDriver {
  readonly name: string;
  /** @returns null when the driver works on this host, otherwise why not and what to do */
  unavailable(): Promise<string | null>;
  /**
   * Runs the command to its end. Resolves only when the whole process tree is gone.
   * @param onOutput gets every byte in the order read; the driver waits for the promise (back-pressure)
   * @param stop aborting it ends the tree: SIGTERM, `graceMs`, SIGKILL; `failure.code` is then the abort reason's code (AppError) or INTERRUPTED
   */
  run(command: SandboxCommand, onOutput: (stream: OutputStream, bytes: Buffer) => void | Promise<void>, stop: AbortSignal): Promise<SandboxResult>;
}
