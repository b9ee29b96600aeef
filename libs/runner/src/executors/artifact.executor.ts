import { AppError, newId } from '#kernel';
import { collectFiles, mediaTypeOf, openArtifact, type BlobStore } from '#artifacts';
import type { Database } from '#database';
import type { ArtifactStepDefinition } from '../definition/definition.js';
import type { Workdirs } from '../engine/workdirs.js';
import { interpolate } from '../expressions/interpolate.js';
import { insertArtifacts, type ArtifactFile } from '../store/artifact.rows.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';

type Run = StepRun<ArtifactStepDefinition>;

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
    const files = await collectFiles(await this.workdirs.open(job.state), patterns);
    if (files.length === 0 && definition.ifNoFiles === 'fail') {
      return failed('ARTIFACT_NOT_FOUND', `no file in the workdir matches ${patterns.join(', ')}`);
    }
    if (!(await job.commit())) return { kind: 'lost' };

    const workdir = await this.workdirs.open(job.state);
    const stored: ArtifactFile[] = [];
    for (const file of files) {
      if (run.stop.aborted) return job.lost.aborted ? { kind: 'lost' } : { kind: 'interrupted' };
      if (timeout.aborted)
        return failed('TIMEOUT', `storing artifacts took longer than ${definition.timeoutSeconds} s`);
      stored.push(await this.store(run, workdir, file.path, files.length === 1));
    }
    return this.finish(run, stored);
  }

  private async store(run: Run, workdir: string, path: string, alone: boolean): Promise<ArtifactFile> {
    const { job, definition, context } = run;
    const id = newId();
    const { content } = await openArtifact(workdir, path);
    const blob = await this.blobs.put(`${job.state.workspaceId}/artifacts/${id}`, content);
    const base = definition.logicalKey === null ? null : interpolate(definition.logicalKey, context);
    const logicalKey = base === null ? path : alone ? base : `${base}/${path}`;
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
    const place = { workspaceId: job.state.workspaceId, jobId: job.id, stepId: step.id };
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
