import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, systemClock, type ErrorCode } from '#kernel';
import type { OutputSink, SandboxCommand, SandboxResult } from './driver.js';
import { DiskWatch, type DiskPlaces } from './disk-watch.js';
import { Ending } from './ending.js';
import { signalOfExitCode } from './exit-status.js';
import { LimitWatch } from './limit-watch.js';
import { openOutputPipes, type OutputPipes } from './output-pipes.js';
import { OutputPump } from './output-pump.js';
import { ProcessTree, type ProcessTreeOptions } from './process-tree.js';
import { abortFailure, armStops, fileSizeFailure, notRun, outputFailure, peaks } from './run-failures.js';
import { RunGuard } from './run-guard.js';
import { SupervisorProcess, type Launch } from './supervisor-process.js';

/** What a driver adds to the common way in which a command is run. */
export interface Isolation {
  launch: Launch;
  tree: Omit<ProcessTreeOptions, 'rootPid'>;
  /** A private folder of this run, removed in the end. */
  scratch: string;
  /** Where the command may write, by its names on the host; the workdir is the first. */
  writable: readonly [string, ...string[]];
  /** The code when the supervisor never came up. */
  launchFailure: ErrorCode;
  facts: SandboxResult['facts'];
}

/** What a script leaves in the background is asked to end, and ended this soon after. */
const LEFTOVER_GRACE_MS = 1_000;
/** Between two looks while waiting for processes to be gone. */
const GONE_POLL_MS = 10;
/** The longer they take to end, the rarer. */
const MAX_GONE_POLL_MS = 50;
/** So many looks may pass until everything around the command has closed down by itself. */
const CLOSING_LOOKS = 10;
const FIRST_STDERR_BYTES = 2_048;

/** Runs a command under its supervisor, with all limits, to the end of its last process. Never throws. */
export async function superviseCommand(
  isolation: Isolation,
  command: SandboxCommand,
  onOutput: OutputSink,
  stop: AbortSignal,
): Promise<SandboxResult> {
  const startedAt = systemClock.now();
  try {
    if (stop.aborted) return notRun(abortFailure(stop), startedAt, isolation.facts);
    return await runGuarded(isolation, (guard) => runSupervised(isolation, command, onOutput, stop, guard));
  } catch (error) {
    const message = `the command could not be started: ${messageOf(error)}`;
    return notRun({ code: isolation.launchFailure, message }, startedAt, isolation.facts);
  } finally {
    isolation.tree.cgroup?.remove();
    await rm(isolation.scratch, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Nothing of the run is left afterwards, whether this process lives to the end of it, dies, or does not know how to go on. */
async function runGuarded(
  { tree, scratch }: Isolation,
  run: (guard: RunGuard) => Promise<SandboxResult>,
): Promise<SandboxResult> {
  const guard = await RunGuard.start({ tag: tree.tag, cgroups: tree.cgroup?.folders ?? [], scratch, farewell: [] });
  try {
    const result = await run(guard);
    await guard.dismiss();
    return result;
  } catch (error) {
    await guard.strike();
    throw error;
  }
}

async function runSupervised(
  isolation: Isolation,
  command: SandboxCommand,
  onOutput: OutputSink,
  stop: AbortSignal,
  guard: RunGuard,
): Promise<SandboxResult> {
  const startedAt = systemClock.now();
  const { pipes, supervisor } = await startSupervisor(isolation, command);
  guard.watch(supervisor.pid);
  const tree = new ProcessTree({ rootPid: supervisor.pid, ...isolation.tree });
  const ending = new Ending(tree);
  const exceeded = ending.kill.bind(ending);
  const watch = new LimitWatch(tree, isolation.tree.cgroup, command.limits, exceeded);
  const disk = new DiskWatch(writablePlaces(isolation, tree, supervisor), command.limits.diskBytes, exceeded);
  const firstStderr = new FirstBytes(FIRST_STDERR_BYTES);
  const refused = (error: unknown): void => ending.kill(outputFailure(error));
  const pump = new OutputPump(pipes.readers, firstStderr.before(onOutput), refused);
  watch.start();
  disk.start();
  const disarm = armStops(ending, command, stop);

  const told = await supervisor.told;
  disarm();
  await endLeftovers(tree, ending, command.graceMs);
  supervisor.release();
  const { exitCode: own } = await supervisor.exited;
  for (let looks = 0; !(await tree.isGone()); looks += 1) {
    // Bubblewrap's own processes may end a moment after the one that we wait for. What stays was left by a command that killed its
    // supervisor, and nobody else will end it.
    if (looks >= CLOSING_LOOKS) ending.kill(null);
    await sleep(GONE_POLL_MS);
  }
  ending.close();
  watch.stop();
  await disk.stop();
  await pump.drain();
  supervisor.close();

  const exitCode = supervisor.ready ? (told ?? own) : null;
  const launchFailure = {
    code: isolation.launchFailure,
    message: `the sandbox could not be set up: ${firstStderr.text}`,
  };
  return {
    exitCode,
    signal: exitCode === null ? null : signalOfExitCode(exitCode),
    failure: ending.failure ?? (supervisor.ready ? fileSizeFailure(exitCode, command) : launchFailure),
    startedAt,
    endedAt: systemClock.now(),
    signalsSent: ending.signalsSent,
    facts: { ...isolation.facts, ...peaks(watch, disk) },
  };
}

function writablePlaces(isolation: Isolation, tree: ProcessTree, supervisor: SupervisorProcess): DiskPlaces {
  return {
    folders: isolation.writable,
    memoryFolder: () => {
      // Before the supervisor speaks, the root of its process may still be the host's.
      const inside = isolation.tree.namespace && supervisor.ready ? tree.innermostSupervisor : null;
      return inside === null ? null : `/proc/${inside}/root/tmp`;
    },
    processIds: () => tree.commands(Infinity).map((entry) => entry.pid),
  };
}

async function startSupervisor(
  isolation: Isolation,
  command: SandboxCommand,
): Promise<{ pipes: OutputPipes; supervisor: SupervisorProcess }> {
  const pipes = await openOutputPipes(isolation.scratch);
  try {
    return { pipes, supervisor: await SupervisorProcess.start(isolation.launch, command.script, pipes) };
  } catch (error) {
    pipes.readers.stdout.destroy();
    pipes.readers.stderr.destroy();
    throw error;
  } finally {
    pipes.closeWriteEnds();
  }
}

/** Waits until only the supervisor is left; what the script's shell left behind is ended. */
async function endLeftovers(tree: ProcessTree, ending: Ending, graceMs: number): Promise<void> {
  for (let poll = GONE_POLL_MS; await tree.hasLeft(); poll = Math.min(poll * 2, MAX_GONE_POLL_MS)) {
    if (!ending.begun) ending.terminate(null, Math.min(graceMs, LEFTOVER_GRACE_MS));
    await sleep(poll);
  }
}

/** Keeps the beginning of stderr, where a sandbox that cannot be set up says why. */
class FirstBytes {
  text = '';

  constructor(private readonly limit: number) {}

  before(sink: OutputSink): OutputSink {
    return (stream, bytes) => {
      if (stream === 'stderr' && this.text.length < this.limit) {
        this.text = (this.text + bytes.toString('utf8')).slice(0, this.limit);
      }
      return sink(stream, bytes);
    };
  }
}
