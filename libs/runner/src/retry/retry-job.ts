import { Injectable } from '@nestjs/common';
import { AppError } from '#kernel';
import { Database } from '#database';
import type { Actor } from '#ledger';
import type { JobDefinition } from '../definition/definition.js';
import { readStoredJob } from '../queries/stored-job.js';
import { copySecretsStatement } from '../secrets/job-secrets.js';
import type { JobState } from '../state/job-state.js';
import { insertStatement } from '../submit/insert-submissions.js';
import { newSubmission } from '../submit/new-submission.js';
import type { Submitted } from '../submit/submit-job.js';
import { firstStepOf } from './first-step.js';

/** What the definition of a job of an earlier release does not say. */
const DEFAULTS = {
  ...{ env: {}, projectId: null, tags: [], metadata: {}, timeoutSeconds: null, concurrency: null, rateLimit: null },
  checkpoints: true,
};

/** Makes a new job that does again what another did not get done. The other never changes. */
@Injectable()
export class RetryJob {
  constructor(private readonly database: Database) {}

  /**
   * The new job has the definition and the secrets of the old one, without its times (`runAt`, `expiresAt`): it is asked for now.
   * @param from `failed-step`, `start`, or the key of the first step that is to run again
   * @returns null when the workspace has no such job
   * @throws AppError CONFLICT, with the state in its details, unless the job FAILED or was CANCELLED, VALIDATION_FAILED for an unknown step
   */
  async retry(workspaceId: string, actor: Actor, jobId: string, from: string): Promise<Submitted | null> {
    const stored = await readStoredJob(this.database, workspaceId, jobId);
    if (stored === null) return null;
    const { state } = stored;
    refuseUnlessRetriable(state);
    const first = firstStepOf(state, from);
    const origin = { retryOf: { jobId: state.id, from: first.key } };
    const submission = newSubmission(workspaceId, actor, definitionOfRetry(state), origin);
    await this.database.tenant(workspaceId, async (client) => {
      await client.query(insertStatement([submission]));
      const names = secretNames(state);
      if (names.length === 0) return;
      const { rows } = await client.query<{ copied: number }>(copySecretsStatement(state.id, submission.state.id));
      if (Number(rows[0]?.copied ?? 0) < names.length) throw secretsGone(state);
    });
    return { state: submission.state, head: submission.head };
  }
}

function definitionOfRetry({ definition }: JobState): JobDefinition {
  return { ...DEFAULTS, ...definition, runAt: null, expiresAt: null } as object as JobDefinition;
}

function secretNames({ definition }: JobState): unknown[] {
  const names = definition['secretNames'];
  return Array.isArray(names) ? names : [];
}

function refuseUnlessRetriable({ id, status }: JobState): void {
  if (status === 'FAILED' || status === 'CANCELLED') return;
  const message = `job ${id} is ${status}: only a job that is FAILED or CANCELLED can be retried`;
  throw new AppError('CONFLICT', message, { details: { state: status } });
}

function secretsGone({ id, status }: JobState): AppError {
  const message = `the secrets of job ${id} are not kept any more: submit its definition again, with its secrets`;
  return new AppError('CONFLICT', message, { details: { state: status } });
}
