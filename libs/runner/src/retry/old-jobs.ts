import { AppError } from '#kernel';
import type { Database } from '#database';
import { jobStateOf, type JobRow, type StepRow } from '../store/job-rows.js';
import { oldJob, RETRY_FACTS, type OldJob, type RetryFact } from './old-job.js';

/** Retries of retries are followed so far back; what was done before that runs again. */
const LONGEST_CHAIN = 20;

/** Reads, as a worker, what retries need to know of finished jobs. */
export class OldJobs {
  constructor(private readonly database: Database) {}

  /** @throws AppError NOT_FOUND */
  async load(jobId: string, chain = 1): Promise<OldJob> {
    const [row] = await this.database.query<JobRow & { steps: StepRow[] | null }>({
      name: 'old-job',
      text: OLD_JOB,
      values: [jobId],
    });
    if (row === undefined) throw new AppError('NOT_FOUND', `there is no job ${jobId}`);
    const facts = await this.facts(row.workspace_id, jobId);
    const wentOn = facts.some((fact) => fact.type === 'checkpoint.restored' && fact.payload.jobId !== jobId);
    const before =
      wentOn && row.retry_of_id !== null && chain < LONGEST_CHAIN ? await this.load(row.retry_of_id, chain + 1) : null;
    return oldJob(jobStateOf(row, row.steps ?? []), facts, before);
  }

  /** What the job's ledger says of steps that were done and of its workdir, in order. What was erased says nothing. */
  async facts(workspaceId: string, jobId: string): Promise<RetryFact[]> {
    const values = [workspaceId, jobId, RETRY_FACTS];
    const statement = { name: 'retry-facts', text: FACTS, values };
    const rows = await this.database.query<FactRow>(statement);
    return rows.map(({ type, phase, step_id: stepId, payload }) => ({ type, phase, stepId, payload })) as RetryFact[];
  }

  /** Which step a retry was asked to run first. */
  async askedFrom(workspaceId: string, jobId: string): Promise<string | null> {
    const statement = { name: 'asked-from', text: ASKED_FROM, values: [workspaceId, jobId] };
    const [row] = await this.database.query<{ from: string | null }>(statement);
    return row?.from ?? null;
  }
}

type FactRow = Pick<RetryFact, 'type' | 'phase' | 'payload'> & { step_id: string | null };

const OLD_JOB = `
SELECT job.*, (SELECT jsonb_agg(to_jsonb(step)) FROM job_steps AS step WHERE step.job_id = job.id) AS steps
FROM runner_jobs AS job WHERE job.id = $1`;

const FACTS = `
SELECT type, phase, step_id, payload FROM job_events
WHERE workspace_id = $1 AND job_id = $2 AND seq > 0 AND type = ANY ($3::text[]) AND payload IS NOT NULL ORDER BY seq`;

const ASKED_FROM = `
SELECT payload #>> '{retryOf,from}' AS from FROM job_events WHERE workspace_id = $1 AND job_id = $2 AND seq = 1`;
