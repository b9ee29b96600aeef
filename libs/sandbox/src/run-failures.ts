import { constants } from 'node:os';
import { AppError, messageOf, systemClock } from '#kernel';
import type { SandboxCommand, SandboxResult } from './driver.js';
import type { Ending } from './ending.js';

export type Failure = NonNullable<SandboxResult['failure']>;

/** The result of a command that never began. */
export function notRun(failure: Failure, startedAt: string, facts: SandboxResult['facts']): SandboxResult {
  return { exitCode: null, signal: null, failure, startedAt, endedAt: systemClock.now(), signalsSent: [], facts };
}

/** Ends the command when its time is over or somebody stops it. @returns calls that off */
export function armStops(ending: Ending, command: SandboxCommand, stop: AbortSignal): () => void {
  const { timeoutMs } = command.limits;
  const overrun = {
    code: 'TIMEOUT' as const,
    message: `the command did not end within ${timeoutMs / 1000} s (timeoutSeconds)`,
  };
  const timer = setTimeout(() => ending.terminate(overrun, command.graceMs), timeoutMs);
  const onAbort = (): void => ending.terminate(abortFailure(stop), command.graceMs);
  if (stop.aborted) onAbort();
  stop.addEventListener('abort', onAbort);
  return () => {
    clearTimeout(timer);
    stop.removeEventListener('abort', onAbort);
  };
}

export function abortFailure(stop: AbortSignal): Failure {
  const reason: unknown = stop.reason;
  if (reason instanceof AppError) return { code: reason.code, message: reason.message };
  return { code: 'INTERRUPTED', message: 'the command was stopped from outside' };
}

export function outputFailure(error: unknown): Failure {
  const code = error instanceof AppError ? error.code : 'INTERNAL';
  return { code, message: `the output of the command could not be taken: ${messageOf(error)}` };
}

/** @returns null unless this exit code says that a file would have become too large */
export function fileSizeFailure(exitCode: number | null, command: SandboxCommand): Failure | null {
  if (exitCode === null || exitCode - 128 !== constants.signals.SIGXFSZ) return null;
  const limit = mebibytes(command.limits.fileSizeBytes);
  return { code: 'FILE_SIZE_LIMIT', message: `the command wrote a file of more than ${limit} MiB (limits.fileSizeMb)` };
}

/** What the kernel did looks like any other SIGKILL; only its own counter tells. */
export function kernelMemoryFailure(memoryBytes: number): Failure {
  const message = `the command used more than ${mebibytes(memoryBytes)} MiB of memory, its limit (limits.memoryMb); the kernel ended it`;
  return { code: 'MEMORY_LIMIT', message };
}

export function processFailure(processes: number, limit: number): Failure {
  const message = `the command had ${processes} processes; its limit is ${limit} (limits.processes)`;
  return { code: 'PROCESS_LIMIT', message };
}

/** What was measured, for the record. */
export function peaks(
  limits: { peakMemoryBytes: number; peakProcesses: number },
  disk: { peakBytes: number },
): SandboxResult['facts'] {
  const { peakMemoryBytes, peakProcesses } = limits;
  // Files are counted only where there was a reason or time to.
  return { peakMemoryBytes, peakProcesses, ...(disk.peakBytes > 0 && { peakDiskBytes: disk.peakBytes }) };
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / (1024 * 1024));
}
