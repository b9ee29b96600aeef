import { Readable } from 'node:stream';
import { AppError, newId, type JsonObject } from '#kernel';
import type { BlobStore } from '#artifacts';
import { TranscriptRecorder, type SandboxDriver, type SandboxResult, type Transcript } from '#sandbox';
import type { CommandStepDefinition } from '../definition/definition.js';
import type { Workdirs } from '../engine/workdirs.js';
import { bindScript } from '../expressions/bind-script.js';
import { interpolate, interpolateJson } from '../expressions/interpolate.js';
import type { SandboxJobRow } from '../store/transition.js';
import type { BuiltInActions } from './built-in-actions.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';
import type { LiveOutput } from './live-output.js';
import { OutputFile } from './output-file.js';

type Run = StepRun<CommandStepDefinition>;

export interface CommandExecutorOptions {
  /** Host paths that every command may read. */
  readOnlyPaths: string[];
  /** Between SIGTERM and SIGKILL. */
  graceMs: number;
}

/** What the command is given: evaluated before it starts, so that a wrong expression starts nothing. */
interface Prepared {
  script: string;
  env: Record<string, string>;
}

/** Runs a COMMAND: its script in the sandbox, or a built-in action. */
export class CommandExecutor implements StepExecutor<CommandStepDefinition> {
  readonly type = 'COMMAND';

  constructor(
    private readonly sandbox: SandboxDriver,
    private readonly blobs: BlobStore,
    private readonly workdirs: Workdirs,
    private readonly live: LiveOutput,
    private readonly actions: BuiltInActions,
    private readonly options: CommandExecutorOptions,
  ) {}

  async execute(run: Run): Promise<StepOutcome> {
    const { action } = run.definition;
    if ('uses' in action) {
      const builtIn = this.actions.get(action.uses);
      if (builtIn === undefined) return failed('UNKNOWN_ACTION', `this worker has no built-in action "${action.uses}"`);
      return builtIn.run(interpolateJson(action.with, run.context) as JsonObject, run);
    }
    return this.runScript(run, action.run);
  }

  private async runScript(run: Run, script: string): Promise<StepOutcome> {
    const prepared = this.prepare(run, script);
    const workdir = await this.workdirs.open(run.job.state);
    const output = await OutputFile.create(workdir, run.step.key, run.step.attempt);
    const execution = this.newExecution(run);
    run.job.recordExecution(execution);
    if (!(await run.job.commit())) return { kind: 'lost' };

    const { result, transcript } = await this.inSandbox(run, execution, prepared, workdir, output);
    if (run.job.lost.aborted) return { kind: 'lost' };
    await this.keepTranscript(run, execution, result, transcript);
    return this.outcome(run, result, output);
  }

  private prepare(run: Run, script: string): Prepared {
    const { context, definition, job } = run;
    const shared = job.state.definition['env'] as Record<string, string>;
    const bound = bindScript(script, context);
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries({ ...shared, ...definition.env }))
      env[name] = interpolate(value, context);
    return { script: bound.script, env: { ...env, ...bound.env } };
  }

  private newExecution({ step }: Run): SandboxJobRow {
    return {
      id: newId(),
      stepId: step.id,
      attempt: step.attempt,
      status: 'running',
      driver: this.sandbox.name,
      startedAt: step.updatedAt,
      endedAt: null,
      durationMs: null,
      exitCode: null,
      signal: null,
      failureCode: null,
      transcriptRef: null,
      transcriptBytes: 0,
      transcriptSha256: null,
      transcriptTruncated: false,
      metadata: {},
    };
  }

  private async inSandbox(
    run: Run,
    execution: SandboxJobRow,
    prepared: Prepared,
    workdir: string,
    output: OutputFile,
  ): Promise<{ result: SandboxResult; transcript: Transcript }> {
    const { job, step, definition } = run;
    const { limits } = definition;
    let pieces = 0;
    const recorder = new TranscriptRecorder({
      maxBytes: limits.outputKb * 1024,
      onPiece: ({ offset, text }) =>
        this.live.show({
          sandboxJobId: execution.id,
          workspaceId: job.state.workspaceId,
          jobId: job.id,
          stepId: step.id,
          seq: ++pieces,
          byteOffset: offset,
          text,
        }),
    });
    const command = {
      script: prepared.script,
      workdir,
      env: {
        ...prepared.env,
        RUNLEDGER: 'true',
        RUNLEDGER_JOB_ID: job.id,
        RUNLEDGER_WORKSPACE_ID: job.state.workspaceId,
        RUNLEDGER_STEP_KEY: step.key,
        RUNLEDGER_ATTEMPT: String(step.attempt),
        RUNLEDGER_OUTPUT: `${this.sandbox.workdirInside(workdir)}/${output.relativePath}`,
      },
      readOnlyPaths: this.options.readOnlyPaths,
      limits: {
        timeoutMs: definition.timeoutSeconds * 1_000,
        memoryBytes: limits.memoryMb * 1024 * 1024,
        processes: limits.processes,
        fileSizeBytes: limits.fileSizeMb * 1024 * 1024,
      },
      graceMs: this.options.graceMs,
    };
    const result = await this.sandbox.run(command, (stream, bytes) => recorder.write(stream, bytes), run.stop);
    return { result, transcript: await recorder.finish() };
  }

  private async keepTranscript(
    { job, step }: Run,
    execution: SandboxJobRow,
    result: SandboxResult,
    transcript: Transcript,
  ): Promise<void> {
    const ref = `${job.state.workspaceId}/transcripts/${execution.id}`;
    await this.blobs.put(ref, Readable.from([transcript.content]));
    const { exitCode, signal } = result;
    const { bytes, storedBytes, sha256, truncated } = transcript;
    job.record(
      'step.output',
      {
        attempt: step.attempt,
        sandboxJobId: execution.id,
        ref,
        bytes,
        storedBytes,
        sha256,
        truncated,
        exitCode,
        signal,
      },
      { step },
    );
    job.recordExecution({
      ...execution,
      status: exitCode === 0 && result.failure === null ? 'succeeded' : 'failed',
      startedAt: result.startedAt,
      endedAt: result.endedAt,
      durationMs: Date.parse(result.endedAt) - Date.parse(result.startedAt),
      exitCode,
      signal,
      failureCode: result.failure?.code ?? null,
      transcriptRef: ref,
      transcriptBytes: storedBytes,
      transcriptSha256: sha256,
      transcriptTruncated: truncated,
      metadata: { ...result.facts, signalsSent: result.signalsSent.join(' ') },
    });
  }

  private async outcome(run: Run, result: SandboxResult, output: OutputFile): Promise<StepOutcome> {
    if (run.stop.aborted) return { kind: 'interrupted' };
    const { exitCode, signal, failure } = result;
    try {
      const outputs = await output.take();
      if (failure === null && exitCode === 0) return { kind: 'completed', outputs, exitCode };
      const ended = signal === null ? `the command exited with ${exitCode}` : `the command was ended by ${signal}`;
      return {
        kind: 'failed',
        code: failure?.code ?? 'COMMAND_FAILED',
        message: failure?.message ?? ended,
        outputs,
        exitCode,
      };
    } catch (error) {
      if (!(error instanceof AppError) || failure !== null) throw error;
      return { kind: 'failed', code: error.code, message: error.message, outputs: {}, exitCode };
    }
  }
}
