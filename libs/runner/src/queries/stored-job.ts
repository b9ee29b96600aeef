import type { Database } from '#database';
import { headOf, jobStateOf, type JobRow, type StepRow } from '../store/job-rows.js';
import type { StoredJob } from './job-views.js';
import { waitingOf } from './waiting-for.js';

/**
 * A job and its steps by one statement, so as of one moment: a job is never seen with steps of another.
 * @returns null when the workspace has no such job
 */
export async function readStoredJob(database: Database, workspaceId: string, jobId: string): Promise<StoredJob | null> {
  const statement = { name: 'stored-job', text: STORED_JOB, values: [workspaceId, jobId] };
  const [row] = await database.tenantQuery<JobRow & { steps: StepRow[] | null }>(workspaceId, statement);
  if (row === undefined) return null;
  const state = jobStateOf(row, row.steps ?? []);
  const retryAt = state.steps.find((step) => step.retryAt !== null)?.retryAt ?? null;
  return { state, head: headOf(row), version: row.version, waiting: waitingOf(row, retryAt) };
}

const STORED_JOB = `
SELECT job.*, (SELECT jsonb_agg(to_jsonb(step)) FROM job_steps AS step WHERE step.workspace_id = $1 AND step.job_id = $2) AS steps
FROM runner_jobs AS job WHERE job.workspace_id = $1 AND job.id = $2`;
