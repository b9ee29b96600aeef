import { CommanderError } from 'commander';
import { ApiError, ConnectionError } from '#client';
import { AppError, messageOf } from '#kernel';
import type { Terminal } from './terminal/terminal.js';

/** What the exit code of every command means. */
export const EXIT = {
  ok: 0,
  /** The job failed, the chain does not verify, the server could not start or answered with an error of its own. */
  failed: 1,
  /** Wrong arguments, a definition that is not accepted, a job or key that does not exist. */
  usage: 2,
  unreachable: 3,
  /** Ctrl-C, as shells count it: 128 + SIGINT. */
  interrupted: 130,
} as const;

/** What the person at the keyboard got wrong. `details` are further lines. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  constructor(
    message: string,
    readonly details: string[] = [],
    readonly code = 'USAGE',
  ) {
    super(message);
  }
}

/** Ctrl-C. The message says what goes on without us. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** A failure that was already told; only the exit code is left to give. */
export class ExitWith extends Error {
  constructor(readonly exitCode: number) {
    super();
  }
}

export interface Failure {
  exitCode: number;
  code: string;
  message: string;
  /** Further lines: one for each wrong field, or what to do. */
  details: string[];
}

/** What to say of anything that a command threw. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError)
    return { exitCode: EXIT.usage, code: error.code, message: error.message, details: error.details };
  if (error instanceof Interrupted)
    return { exitCode: EXIT.interrupted, code: 'INTERRUPTED', message: error.message, details: [] };
  if (error instanceof ApiError) return describeApiError(error);
  if (error instanceof ConnectionError) {
    const details = [
      'Is Runledger running? Start it with "npm start" (or "runledger start"), or name another server with --url.',
    ];
    return { exitCode: EXIT.unreachable, code: 'UNREACHABLE', message: error.message, details };
  }
  if (error instanceof AppError)
    return { exitCode: EXIT.failed, code: error.code, message: error.message, details: [] };
  return { exitCode: EXIT.failed, code: 'INTERNAL', message: messageOf(error), details: [] };
}

function describeApiError(error: ApiError): Failure {
  const details = (error.problem.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  if (error.status === 401) details.push('Give a key with --api-key or RUNLEDGER_API_KEY.');
  const unavailable = error.status >= 502 && error.status <= 504;
  const exitCode = unavailable ? EXIT.unreachable : error.status >= 500 ? EXIT.failed : EXIT.usage;
  return { exitCode, code: error.code, message: error.message, details };
}

/** Tells a failure on standard error, as one JSON line for scripts. */
export function tellFailure(error: unknown, terminal: Terminal, json: boolean): number {
  if (error instanceof ExitWith) return error.exitCode;
  // Commander has told what is wrong, or printed the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, code, message, details } = describeFailure(error);
  if (json) {
    terminal.note(JSON.stringify({ error: { code, message, details } }));
    return exitCode;
  }
  const { red, dim, yellow } = terminal.noteColors;
  const interrupted = error instanceof Interrupted;
  terminal.note(`${interrupted ? yellow('interrupted:') : red('error:')} ${message}`);
  for (const detail of details) terminal.note(dim('  ') + detail);
  return exitCode;
}
