import { constants } from 'node:os';

/** Shells say 128 + n when signal n ended a command (POSIX, 2.8.2). */
const SIGNAL_BASE = 128;

/** The signal that a shell's exit code stands for, or null. */
export function signalOfExitCode(exitCode: number): NodeJS.Signals | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - SIGNAL_BASE);
  return found === undefined ? null : (found[0] as NodeJS.Signals);
}

/** The exit code by which a shell would report this end of a process. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number | null {
  return signal === null ? code : SIGNAL_BASE + constants.signals[signal];
}
