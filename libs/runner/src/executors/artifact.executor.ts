import { AppError, newId } from '#kernel';
import { collectFiles, mediaTypeOf, openArtifact, type BlobStore } from '#artifacts';
import type { Database } from '#database';
import { DEFINITION_LIMITS } from '../definition/definition-limits.js';
import type { ArtifactStepDefinition } from '../definition/definition.js';
import type { Workdirs } from '../engine/workdirs.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import { interpolate } from '../expressions/interpolate.js';
import { insertArtifacts, type ArtifactFile } from '../store/artifact.rows.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';

type Run = StepRun<ArtifactStepDefinition>;

/** A path is part of index entries, which PostgreSQL bounds. */
const LONGEST_PATH_BYTES = 1_024;

/**
 * Stores files of the workdir as artifacts. The bytes go to the blob store first; then versions, rows, events and the step's completion
 * are one transaction: a version is never counted without its artifact, and a worker that takes the step over finds it done or untouched.
 */
export class ArtifactExecutor implements StepExecutor<ArtifactStepDefinition> {
  readonly type = 'ARTIFACT';

  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    private readonly workdirs: Workdirs,
  ) {}

  async execute(run: Run): Promise<StepOutcome> {
    const { job, definition, context } = run;
    const timeout = AbortSignal.timeout(definition.timeoutSeconds * 1_000);
    const patterns = definition.paths.map((path) => interpolate(path, context));
    const base = seriesName(definition, context);
    const files = await collectFiles(await this.workdirs.open(job, 'read'), patterns);
    if (files.length === 0 && definition.ifNoFiles === 'fail') {
      return failed('ARTIFACT_NOT_FOUND', `no file in the workdir matches ${patterns.join(', ')}`);
    }
    const long = files.find((file) => Buffer.byteLength(file.path) > LONGEST_PATH_BYTES);
    if (long !== undefined) {
      const message = `the path of "${long.path.slice(0, 100)}..." is longer than the ${LONGEST_PATH_BYTES} bytes that can be kept`;
      return failed('ARTIFACT_TOO_LARGE', message);
    }
    if (!(await job.commit())) return { kind: 'lost' };

    const workdir = await this.workdirs.open(job, 'read');
    const stored: ArtifactFile[] = [];
    for (const file of files) {
      if (run.stop.aborted) return job.lost.aborted ? { kind: 'lost' } : { kind: 'interrupted' };
      if (timeout.aborted)
        return failed('TIMEOUT', `storing artifacts took longer than ${definition.timeoutSeconds} s`);
      const logicalKey = base === null ? file.path : files.length === 1 ? base : `${base}/${file.path}`;
      stored.push(await this.store(run, workdir, file.path, logicalKey));
    }
    return this.finish(run, stored);
  }

  private async store(run: Run, workdir: string, path: string, logicalKey: string): Promise<ArtifactFile> {
    const { job, definition } = run;
    const id = newId();
    const { content } = await openArtifact(workdir, path);
    const blob = await this.blobs.put(`${job.state.workspaceId}/artifacts/${id}`, content);
    return {
      id,
      kind: definition.artifactKind,
      logicalKey,
      path,
      mediaType: mediaTypeOf(path),
      sizeBytes: blob.sizeBytes,
      sha256: blob.sha256,
      blobKey: blob.key,
    };
  }

  private async finish(run: Run, files: ArtifactFile[]): Promise<StepOutcome> {
    const { job, step } = run;
    const { workspaceId, projectId } = job.state;
    const place = { workspaceId, projectId, jobId: job.id, stepId: step.id };
    try {
      await this.database.transaction(async (client) => {
        for (const artifact of await insertArtifacts(client, place, files)) {
          const { id, kind, logicalKey, version, path, mediaType, sizeBytes, sha256 } = artifact;
          job.record(
            'artifact.created',
            { artifactId: id, kind, logicalKey, version, path, mediaType, sizeBytes, sha256 },
            { step },
          );
        }
        run.recordCompleted({ files: files.length, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) });
        // Thrown, so that the rows above are rolled back with it.
        if (!(await job.commitWithin(client)))
          throw new AppError('LEASE_LOST', 'the claim was lost while artifacts were stored');
      });
      return { kind: 'recorded' };
    } catch (error) {
      // Whether the commit arrived is unknown when the connection broke: the next claim reads what is true.
      if (error instanceof AppError && error.retryable) job.lose();
      if (job.lost.aborted) return { kind: 'lost' };
      throw error;
    }
  }
}

/** The `logicalKey` of the step, filled in; null for none. @throws AppError EXPRESSION_FAILED when it names nothing, or cannot be kept */
function seriesName(definition: ArtifactStepDefinition, context: ExpressionContext): string | null {
  if (definition.logicalKey === null) return null;
  const name = interpolate(definition.logicalKey, context);
  const longest = DEFINITION_LIMITS.logicalKeyLength;
  if (name.length >= 1 && name.length <= longest && !name.includes('\0')) return name;
  throw new AppError(
    'EXPRESSION_FAILED',
    `logicalKey must give 1 to ${longest} characters without NUL, and gave ${name.length}: ${definition.logicalKey}`,
  );
}
