import { Injectable } from '@nestjs/common';
import { AppError, openSealed } from '#kernel';
import type { MasterKey } from '#config';
import type { Database } from '#database';
import type { Secrets } from '../definition/check-secrets.js';
import type { JobState } from '../state/job-state.js';
import { secretIdentity } from './seal-secrets.js';

/** A job that failed or was cancelled may be retried for so long with the secrets that it had. */
export const SECRETS_KEPT_DAYS = 7;

interface SecretRow {
  name: string;
  set_id: string;
  ciphertext: Buffer;
}

/** The secrets of jobs, as workers have them. */
@Injectable()
export class JobSecrets {
  constructor(
    private readonly database: Database,
    private readonly masterKey: MasterKey,
  ) {}

  /**
   * All secrets of the job by name: those that a step does not get are masked in its output, too.
   * @throws AppError SECRET_UNREADABLE saying what to do
   */
  async load(job: JobState): Promise<Secrets> {
    const names = secretNamesOf(job);
    if (names.length === 0) return {};
    const key = await this.masterKey.forOpening();
    if (key === null) throw unreadable('this worker has no master key');
    const rows = await this.database.query<SecretRow>({
      name: 'secrets-of-job',
      text: 'SELECT name, set_id, ciphertext FROM job_secrets WHERE job_id = $1',
      values: [job.id],
    });
    const found = new Map(rows.map((row) => [row.name, row]));
    return Object.fromEntries(names.map((name) => [name, open(key, job.workspaceId, name, found.get(name))]));
  }
}

/** The names of the secrets that the job was submitted with. */
export function secretNamesOf({ definition }: JobState): string[] {
  const names = definition['secretNames'];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

/** Removes the secrets of a job that has completed: nothing can need them any more. Cheap for a job that has none. */
export async function forgetSecrets(database: Database, job: JobState): Promise<void> {
  if (job.status !== 'COMPLETED' || secretNamesOf(job).length === 0) return;
  await database.query('DELETE FROM job_secrets WHERE job_id = $1', [job.id]);
}

/** Removes what is not needed any more: secrets of completed jobs whose worker died too early to do so, and those of jobs that ended long ago. */
export async function sweepSecrets(database: Database): Promise<number> {
  const rows = await database.query({ name: 'sweep-secrets', text: SWEEP, values: [SECRETS_KEPT_DAYS] });
  return rows.length;
}

/**
 * Gives a new job the secrets of the job that it retries. To run as the tenant, in the transaction that makes the job, behind the statement
 * that does. Its row has `copied`: fewer than the definition's `secretNames` when they have been removed meanwhile.
 */
export function copySecretsStatement(sourceJobId: string, targetJobId: string): { text: string; values: string[] } {
  return { text: 'SELECT runledger_copy_job_secrets($1, $2) AS copied', values: [sourceJobId, targetJobId] };
}

function open(key: Buffer, workspaceId: string, name: string, row: SecretRow | undefined): string {
  if (row === undefined) throw unreadable(`the secret ${name} is not there any more`);
  try {
    return openSealed(key, row.ciphertext, secretIdentity(workspaceId, row.set_id, name));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw unreadable(`the secret ${name} was sealed with another key than this worker's`);
  }
}

function unreadable(reason: string): AppError {
  const help = 'API and workers need the same RUNLEDGER_MASTER_KEY, or one DATA_DIR with its master.key';
  return new AppError('SECRET_UNREADABLE', `${reason}; ${help}`);
}

const SWEEP = `
DELETE FROM job_secrets AS secret USING runner_jobs AS job
WHERE job.id = secret.job_id AND job.completed_at IS NOT NULL
  AND (job.status = 'COMPLETED' OR job.completed_at < now() - $1 * interval '1 day')
RETURNING secret.job_id`;
