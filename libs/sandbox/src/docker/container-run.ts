import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemClock } from '#kernel';
import { DiskWatch } from '../disk-watch.js';
import type { OutputSink, SandboxCommand, SandboxResult } from '../driver.js';
import { Ending } from '../ending.js';
import { signalOfExitCode } from '../exit-status.js';
import { armStops, fileSizeFailure, outputFailure, peaks, type Failure } from '../run-failures.js';
import { RunGuard } from '../run-guard.js';
import { containerOutput } from './container-output.js';
import { SupervisorLines, type LastLine } from './container-script.js';
import { ContainerWatch } from './container-watch.js';
import { DockerContainer } from './docker-container.js';
import type { DockerEngine } from './docker-engine.js';

/** One command as the engine is asked for it. */
export interface ContainerRun {
  engine: DockerEngine;
  /** Of the container. */
  name: string;
  /** By which the supervisor's last line is known. */
  token: string;
  /** A private folder of this run, removed in the end. */
  scratch: string;
  configuration: unknown;
  facts: SandboxResult['facts'];
}

/** A connection on which nothing moves for so long, once its container has ended. */
const IDLE_MS = 60_000;

/** Asks the engine to remove a container, again while there is none by this name yet: its maker may have died in the middle of asking. */
const REMOVE = `const { request } = require('node:http');
const [, socketPath, path] = process.argv;
const again = (left) => left > 0 && setTimeout(remove, 1000, left - 1);
const remove = (left) =>
  request({ socketPath, path, method: 'DELETE' }, (answer) => (answer.resume(), answer.statusCode < 300 || again(left)))
    .on('error', () => again(left))
    .end();
remove(5);`;

/**
 * Runs a command in a container, with all limits, to the end of its last process.
 * @throws AppError SANDBOX_UNAVAILABLE when the engine does not start it
 */
export async function runContainer(
  run: ContainerRun,
  command: SandboxCommand,
  onOutput: OutputSink,
  stop: AbortSignal,
): Promise<SandboxResult> {
  const removal = await run.engine.versioned(`/containers/${run.name}?force=true&v=true`);
  const farewell = [process.execPath, '-e', REMOVE, run.engine.socketPath, removal];
  const guard = await RunGuard.start({ tag: null, cgroups: [], scratch: run.scratch, farewell });
  guard.watch(null);
  let container: DockerContainer | undefined;
  try {
    container = await DockerContainer.create(run.engine, run.name, run.configuration);
    const result = await superviseContainer(container, run, command, onOutput, stop);
    await container.remove();
    return result;
  } catch (error) {
    // Whatever went wrong with the engine, it is asked again and again to remove what may be there.
    if (container !== undefined) await guard.strike();
    throw error;
  } finally {
    await guard.dismiss();
    await rm(run.scratch, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function superviseContainer(
  container: DockerContainer,
  run: ContainerRun,
  command: SandboxCommand,
  onOutput: OutputSink,
  stop: AbortSignal,
): Promise<SandboxResult> {
  const connection = await container.attach();
  connection.on('error', () => undefined);
  const ending = new Ending(container);
  const exceeded = ending.kill.bind(ending);
  const watch = new ContainerWatch(container, command.limits, exceeded);
  const places = { folders: [command.workdir] as const, memoryFolder: () => null, processIds: () => [] };
  const disk = new DiskWatch(places, command.limits.diskBytes, exceeded);

  const ended = container.wait();
  // Awaited below; without this a container that does not start would leave a rejection that nobody takes.
  ended.catch(() => undefined);
  const startedAt = systemClock.now();
  const lines = new SupervisorLines(run.token, () => container.becomeReady());
  const output = pump(connection, lines, onOutput, (error) => ending.kill(outputFailure(error)));
  try {
    await container.start();
    connection.end(command.script);
    watch.start();
    disk.start();
    const disarm = armStops(ending, command, stop);
    const status = await ended.finally(disarm);
    ending.close();
    await watch.stop();
    await disk.stop();
    // An engine that keeps the connection of a container that has ended is not waited for.
    if (connection instanceof Socket) connection.setTimeout(IDLE_MS, () => connection.destroy());
    const line = await output;
    return {
      ...verdict(container.ready, status, line, ending.failure, command),
      startedAt,
      endedAt: systemClock.now(),
      signalsSent: [...(line?.signals ?? []), ...ending.signalsSent],
      facts: { ...run.facts, ...peaks(watch, disk) },
    };
  } finally {
    ending.close();
    connection.destroy();
    await output;
  }
}

function verdict(
  ready: boolean,
  status: number,
  line: LastLine | null,
  ended: Failure | null,
  command: SandboxCommand,
): Pick<SandboxResult, 'exitCode' | 'signal' | 'failure'> {
  if (!ready) {
    const message = `the container ended with ${status} at its start`;
    return { exitCode: null, signal: null, failure: ended ?? { code: 'SANDBOX_UNAVAILABLE', message } };
  }
  const exitCode = line?.exitCode ?? status;
  return { exitCode, signal: signalOfExitCode(exitCode), failure: ended ?? fileSizeFailure(exitCode, command) };
}

/** Carries the container's output to the sink, a piece at a time; what the sink refuses is read and dropped. @returns the last line */
async function pump(
  connection: Duplex,
  lines: SupervisorLines,
  sink: OutputSink,
  onRefused: (error: unknown) => void,
): Promise<LastLine | null> {
  let refused = false;
  const deliver = async (stream: 'stdout' | 'stderr', bytes: Buffer): Promise<void> => {
    if (refused || bytes.length === 0) return;
    try {
      await sink(stream, bytes);
    } catch (error) {
      refused = true;
      onRefused(error);
    }
  };
  try {
    for await (const { stream, bytes } of containerOutput(connection)) {
      await deliver(stream, stream === 'stderr' ? lines.pass(bytes) : bytes);
    }
  } catch {
    // The connection broke or was taken down: what came until then is the output.
  }
  const { rest, line } = lines.end();
  await deliver('stderr', rest);
  return line;
}
