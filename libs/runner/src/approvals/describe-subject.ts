import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { AppError, type Json, type JsonObject } from '#kernel';
import { collectFiles, openArtifact } from '#artifacts';
import type { Database } from '#database';
import type { ApprovalSubjectRule, GateStepDefinition } from '../definition/definition.js';
import type { HeldJob } from '../engine/held-job.js';
import type { Workdirs } from '../engine/workdirs.js';
import type { StepRun } from '../executors/executor.js';
import { scriptExpressions } from '../expressions/bind-script.js';
import { evaluateValue } from '../expressions/evaluate-expression.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import { interpolate, templateExpressions, textOf } from '../expressions/interpolate.js';
import { namedSteps } from '../expressions/named-steps.js';
import type { JobState } from '../state/job-state.js';
import { isTerminalStep } from '../state/step.machine.js';
import {
  approvalSubject,
  approvedArtifacts,
  approvedCommand,
  approvedTree,
  digestOf,
  type ApprovalSubject,
  type ApprovedArtifact,
  type ApprovedCommand,
  type ApprovedFile,
  type ApprovedTree,
} from './approval-subject.js';

interface ArtifactRow {
  id: string;
  kind: string;
  logical_key: string;
  version: number;
  sha256: string;
  size_bytes: string;
}

/** Works out what exactly a gate asks approval for, as it is at this moment. */
export class DescribeSubject {
  constructor(
    private readonly database: Database,
    private readonly workdirs: Workdirs,
  ) {}

  /**
   * @param signal gives up reading
   * @throws AppError ARTIFACT_NOT_FOUND when it names files or artifacts of which there are none: nobody can approve nothing
   */
  async describe(
    { job, context }: StepRun<GateStepDefinition>,
    rule: ApprovalSubjectRule,
    signal: AbortSignal,
  ): Promise<ApprovalSubject> {
    const { state } = job;
    const files = rule.paths.length === 0 ? null : await this.files(job, rule.paths, context, signal);
    const artifacts = rule.artifacts.length === 0 ? null : await this.artifacts(state, rule.artifacts, context);
    const command = rule.command === null ? null : commandOf(state, rule.command, context);
    const nothingElse = files === null && artifacts === null && command === null;
    return approvalSubject({
      summary: rule.summary === null ? null : interpolate(rule.summary, context),
      files,
      artifacts: artifacts === null ? null : approvedArtifacts(artifacts),
      command,
      definition: nothingElse ? { sha256: digestOf(state.definition) } : null,
    });
  }

  private async files(
    job: HeldJob,
    paths: string[],
    context: ExpressionContext,
    signal: AbortSignal,
  ): Promise<ApprovedTree> {
    const patterns = paths.map((path) => interpolate(path, context));
    const workdir = await this.workdirs.open(job, 'read');
    const found: ApprovedFile[] = [];
    for (const { path } of await collectFiles(workdir, patterns)) {
      signal.throwIfAborted();
      found.push(await hashFile(workdir, path, signal));
    }
    if (found.length > 0) return approvedTree(found);
    throw new AppError(
      'ARTIFACT_NOT_FOUND',
      `no file in the workdir matches ${patterns.join(', ')}: there is nothing to approve`,
    );
  }

  private async artifacts(
    { id, workspaceId }: JobState,
    wanted: { kind: string; logicalKey: string }[],
    context: ExpressionContext,
  ): Promise<ApprovedArtifact[]> {
    const keys = wanted.map(({ kind, logicalKey }) => ({ kind, logicalKey: interpolate(logicalKey, context) }));
    const rows = await this.database.query<ArtifactRow>({
      name: 'artifacts-to-approve',
      text: LATEST_OF_JOB,
      values: [workspaceId, id, keys.map((key) => key.kind), keys.map((key) => key.logicalKey)],
    });
    const found = new Map(rows.map((row) => [`${row.kind} ${row.logical_key}`, row]));
    return keys.map(({ kind, logicalKey }) => {
      const row = found.get(`${kind} ${logicalKey}`);
      if (row === undefined)
        throw new AppError(
          'ARTIFACT_NOT_FOUND',
          `the job has stored no artifact ${kind} "${logicalKey}": there is nothing to approve`,
        );
      const { version, sha256 } = row;
      return { artifactId: row.id, kind, logicalKey, version, sha256, sizeBytes: Number(row.size_bytes) };
    });
  }
}

async function hashFile(workdir: string, path: string, signal: AbortSignal): Promise<ApprovedFile> {
  const { content } = await openArtifact(workdir, path);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await pipeline(
    content,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        sizeBytes += chunk.length;
        hash.update(chunk);
      }
    },
    { signal },
  );
  return { path, sha256: hash.digest('hex'), sizeBytes };
}

/** The command of a later step, as far as it is known now: values that earlier steps have put out are part of it. */
function commandOf(state: JobState, key: string, context: ExpressionContext): ApprovedCommand {
  const step = state.steps.find((one) => one.key === key);
  const action = step?.config['action'];
  const run = typeof action === 'object' && action !== null && 'run' in action ? action['run'] : undefined;
  if (step === undefined || typeof run !== 'string')
    throw new Error(`job ${state.id} has no command ${key} to approve`);
  const env = (state.definition['env'] ?? {}) as { [name: string]: Json };
  const texts = [env, step.config['env'] ?? {}].flatMap((one) => Object.values(one as JsonObject).filter(isText));
  const expressions = [
    ...scriptExpressions(run).expressions,
    ...texts.flatMap((text) => templateExpressions(text).expressions),
  ];
  const over = new Set(state.steps.filter((one) => isTerminalStep(one.status)).map((one) => one.key));
  const values = new Map(expressions.map((source) => [source, valueOf(source, over, context)] as const));
  return approvedCommand(key, run, step.config, env, values);
}

/** Null for what is not known before a step that is still to come, and for what will fail then, too. */
function valueOf(source: string, over: Set<string>, context: ExpressionContext): string | null {
  try {
    return namedSteps(source).every((key) => over.has(key)) ? textOf(evaluateValue(source, context)) : null;
  } catch {
    return null;
  }
}

function isText(value: Json): value is string {
  return typeof value === 'string';
}

const LATEST_OF_JOB = `
SELECT DISTINCT ON (kind, logical_key) id, kind, logical_key, version, sha256, size_bytes FROM artifacts
WHERE workspace_id = $1 AND job_id = $2 AND (kind, logical_key) IN (SELECT * FROM unnest($3::text[], $4::text[]))
ORDER BY kind, logical_key, version DESC`;
