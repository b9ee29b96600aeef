import type { ErrorCode } from '#kernel';

/** The bounds of one command. A tree of processes that crosses one is ended as a whole. */
export interface SandboxLimits {
  /** Wall time. */
  timeoutMs: number;
  /** What all processes of the command may occupy together. */
  memoryBytes: number;
  /** How many processes of the command may live at the same time. */
  processes: number;
  /** The largest file that the command may write. */
  fileSizeBytes: number;
  /** What the workdir and the folder for temporary files may occupy together, with what was in the workdir before. */
  diskBytes: number;
}

/**
 * `none`: not even the loopback of the host. `full`: the network as the worker has it, or as the driver's engine gives it; who may ask
 * for it is for the caller to decide.
 */
export type SandboxNetwork = 'none' | 'full';

/** One command to run. */
export interface SandboxCommand {
  /** A shell script, given to `bash -eo pipefail` (or `sh -e` where there is no bash); its standard input is `/dev/null`. */
  script: string;
  /** Absolute host path, writable, the working directory of the script; seen under `/workdir` where the driver can. */
  workdir: string;
  /** The whole environment of the command besides what the driver itself sets (PATH, HOME, TMPDIR, LANG). */
  env: Record<string, string>;
  /** Host paths that the command may read, at the same path. */
  readOnlyPaths: string[];
  /** `none` when not given. A driver that cannot take the network away says so in its facts. */
  network?: SandboxNetwork;
  limits: SandboxLimits;
  /** Between SIGTERM and SIGKILL when the command is stopped from outside or overruns its time. */
  graceMs: number;
}

/** How a command ended. Never an exception: a driver that cannot run at all answers with `failure`. */
export interface SandboxResult {
  /** The shell's exit code; 128 + n when signal n ended it or its last command. Null when no shell ever ran. */
  exitCode: number | null;
  /** The signal that `exitCode` stands for, such as `SIGKILL` for 137. */
  signal: string | null;
  /** Null when the shell ended by itself, whatever its exit code. */
  failure: { code: ErrorCode; message: string } | null;
  /** RFC 3339. */
  startedAt: string;
  endedAt: string;
  /** Signals that the driver sent to the tree, in order. */
  signalsSent: string[];
  /** Which isolation and limits held, by which means, and what was measured: `{ driver, network: 'none', memory: 'cgroup-v2', ... }`. */
  facts: Record<string, string | number | boolean>;
}

export type OutputStream = 'stdout' | 'stderr';

/** Takes output in the order read; the driver reads on when the promise is fulfilled (back-pressure). */
export type OutputSink = (stream: OutputStream, bytes: Buffer) => void | Promise<void>;

/** Runs commands apart from the worker. */
export interface SandboxDriver {
  readonly name: string;
  /** Where the script sees a command's workdir: `/workdir`, or the host path where nothing can be mounted. */
  workdirInside(workdir: string): string;
  /** @returns null when the driver works on this host, otherwise why not and what to do */
  unavailable(): Promise<string | null>;
  /**
   * Ends what still runs of commands whose worker is gone and could not end them. To be called when a worker starts.
   * @returns how many processes or containers there were
   */
  endAbandonedRuns(): Promise<number>;
  /**
   * Runs the command to its end. Resolves only when the whole process tree is gone.
   * @param onOutput gets every byte; when it throws, the tree is ended and `failure` carries the error
   * @param stop aborting it ends the tree: SIGTERM, `graceMs`, SIGKILL; `failure.code` is then the abort reason's code (AppError) or INTERRUPTED
   */
  run(command: SandboxCommand, onOutput: OutputSink, stop: AbortSignal): Promise<SandboxResult>;
}
