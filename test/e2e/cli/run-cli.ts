import { spawn, type ChildProcess } from 'node:child_process';
import type { TestSystem } from '#testing';

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli {
  child: ChildProcess;
  /** Resolves when its standard output holds the text. */
  says(text: string): Promise<void>;
  result: Promise<CliResult>;
}

/** The environment of a person who has set nothing. */
function plainEnvironment(extra: Record<string, string>): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, ...extra };
}

/** Starts the `runledger` command as a process of its own. */
export function startCli(args: string[], options: { env?: Record<string, string>; input?: string } = {}): RunningCli {
  const child = spawn(process.execPath, ['bin/runledger.mjs', ...args], { env: plainEnvironment(options.env ?? {}) });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    listeners.forEach((listener) => listener());
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(options.input ?? '');
  const result = new Promise<CliResult>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!stdout.includes(text)) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      void result.then(() => reject(new Error(`it ended without saying "${text}":\n${stdout}\n${stderr}`)));
      look();
    });
  return { child, says, result };
}

/** Runs it to its end. */
export function runCli(
  args: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<CliResult> {
  return startCli(args, options).result;
}

/** The same against a system, found by its data folder as a person's commands find it. */
export function cliFor(system: Pick<TestSystem, 'dataDir'>) {
  return (args: string[], input?: string): Promise<CliResult> =>
    runCli(args, { env: { DATA_DIR: system.dataDir }, ...(input === undefined ? {} : { input }) });
}

/** Each line of JSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
