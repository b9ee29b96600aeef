import { AppError, newId, storableText, type JsonObject } from '#kernel';
import type { BlobStore } from '#artifacts';
import { SecretMasker, type SandboxDriver, type SandboxResult, type Transcript } from '#sandbox';
import type { Secrets } from '../definition/check-secrets.js';
import type { CommandStepDefinition } from '../definition/definition.js';
import { throughOutages } from '../engine/pause.js';
import type { Workdirs } from '../engine/workdirs.js';
import { bindScript } from '../expressions/bind-script.js';
import { interpolate, interpolateJson } from '../expressions/interpolate.js';
import type { JobState } from '../state/job-state.js';
import type { SandboxJobRow } from '../store/transition.js';
import type { BuiltInActions } from './built-in-actions.js';
import { CommandFile } from './command-file.js';
import { keepTranscript, recordTranscript } from './command-transcript.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';
import type { LiveOutput } from './live-output.js';
import { takeOutputs } from './output-file.js';
import { ProgressWatch, type Progress } from './progress-watch.js';

type Run = StepRun<CommandStepDefinition>;

export interface CommandExecutorOptions {
  /** Host paths that every command may read. */
  readOnlyPaths: string[];
  /** Between SIGTERM and SIGKILL. */
  graceMs: number;
  /** Whether the steps of a workspace may have the network. */
  allowsNetwork: (workspaceId: string) => Promise<boolean>;
  /** The values of all secrets of a job, by name. */
  secretsOf: (job: JobState) => Promise<Secrets>;
}

/** The files through which one attempt talks to the runner. */
type CommandFiles = Record<'output' | 'progress', CommandFile>;

/** What the command is given: evaluated before it starts, so that a wrong expression starts nothing. */
interface Prepared {
  script: string;
  env: Record<string, string>;
  /** Of all secrets of the job, whichever of them this command gets: another may have left the rest in the workdir. */
  masker: SecretMasker;
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
    const refusal = await this.refuseNetwork(run);
    if (refusal !== null) return refusal;
    const prepared = await this.prepare(run, script);
    if ('kind' in prepared) return prepared;
    const workdir = await this.workdirs.open(run.job);
    const files = await CommandFile.createAll(workdir, ['output', 'progress']);
    const execution = this.newExecution(run);
    run.job.recordExecution(execution);
    if (!(await run.job.commit())) return { kind: 'lost' };

    const { result, transcript } = await this.inSandbox(run, execution, prepared, workdir, files);
    if (run.job.lost.aborted) return { kind: 'lost' };
    await keepTranscript(this.blobs, run, execution, { result, transcript });
    return masked(await this.outcome(run, result, files.output), prepared.masker);
  }

  private async refuseNetwork({ definition, job }: Run): Promise<StepOutcome | null> {
    if (definition.network === 'none' || (await this.options.allowsNetwork(job.state.workspaceId))) return null;
    return failed(
      'NETWORK_NOT_ALLOWED',
      'the step asks for the network (network: full), and its workspace does not allow that',
    );
  }

  /** @returns the step's failure where an expression fails or a secret cannot be read */
  private async prepare(run: Run, script: string): Promise<Prepared | StepOutcome> {
    const { job } = run;
    try {
      return this.bind(run, script, await throughOutages(job.lost, () => this.options.secretsOf(job.state)));
    } catch (error) {
      if (!(error instanceof AppError) || job.lost.aborted) throw error;
      return failed(error.code, error.message);
    }
  }

  private bind({ context, definition, job }: Run, script: string, secrets: Secrets): Prepared {
    const shared = job.state.definition['env'] as Record<string, string>;
    const bound = bindScript(script, context);
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries({ ...shared, ...definition.env }))
      env[name] = interpolate(value, context);
    for (const name of definition.secrets ?? []) env[name] = secrets[name] ?? '';
    const masker = new SecretMasker(Object.values(secrets));
    return { script: bound.script, env: { ...env, ...bound.env }, masker };
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
      transcriptStreamsSha256: null,
      metadata: {},
    };
  }

  private async inSandbox(
    run: Run,
    execution: SandboxJobRow,
    prepared: Prepared,
    workdir: string,
    files: CommandFiles,
  ): Promise<{ result: SandboxResult; transcript: Transcript }> {
    const { job, step, definition } = run;
    const { limits } = definition;
    const recorder = recordTranscript(this.live, run, execution, prepared.masker);
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
        RUNLEDGER_OUTPUT: `${this.sandbox.workdirInside(workdir)}/${files.output.relativePath}`,
        RUNLEDGER_PROGRESS: `${this.sandbox.workdirInside(workdir)}/${files.progress.relativePath}`,
      },
      readOnlyPaths: this.options.readOnlyPaths,
      network: definition.network,
      limits: {
        timeoutMs: definition.timeoutSeconds * 1_000,
        memoryBytes: limits.memoryMb * 1024 * 1024,
        processes: limits.processes,
        fileSizeBytes: limits.fileSizeMb * 1024 * 1024,
        diskBytes: limits.diskMb * 1024 * 1024,
      },
      graceMs: this.options.graceMs,
    };
    const watch = new ProgressWatch(files.progress, (progress) => this.tellProgress(run, progress, prepared.masker));
    const result = await this.sandbox.run(command, (stream, bytes) => recorder.write(stream, bytes), run.stop);
    await watch.stop();
    return { result, transcript: await recorder.finish() };
  }

  private async tellProgress({ job }: Run, { percent, message }: Progress, masker: SecretMasker): Promise<void> {
    if (job.lost.aborted) return;
    const shown = message === null ? {} : { message: storableText(masker.text(message), 500) };
    job.record('job.progress', { percent, ...shown });
    await job.commit();
  }

  private async outcome(run: Run, result: SandboxResult, output: CommandFile): Promise<StepOutcome> {
    const { exitCode, signal, failure } = result;
    if (run.stop.aborted) return { kind: 'interrupted', exitCode };
    try {
      const outputs = await takeOutputs(output);
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
      if (!(error instanceof AppError)) throw error;
      const { code, message } = failure ?? error;
      return { kind: 'failed', code, message, outputs: {}, exitCode };
    }
  }
}

/** What a command says of itself, without the job's secrets. */
function masked(outcome: StepOutcome, masker: SecretMasker): StepOutcome {
  switch (outcome.kind) {
    case 'completed':
      return { ...outcome, outputs: masker.object(outcome.outputs) };
    case 'failed':
      return { ...outcome, outputs: masker.object(outcome.outputs), message: masker.text(outcome.message) };
    default:
      return outcome;
  }
}
