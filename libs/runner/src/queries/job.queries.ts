import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import { jobCoreOf, stepStateOf, type JobCoreRow, type StepRow } from '../store/job-rows.js';
import { listStatement, type JobListOptions } from './job-list.js';
import { jobView, stepView, summaryView, type JobSummaryView, type JobView, type StepView } from './job-views.js';
import { readStoredJob } from './stored-job.js';
import { waitingOf } from './waiting-for.js';

/** Reads jobs of one workspace. What belongs to another is not there. */
@Injectable()
export class JobQueries {
  constructor(private readonly database: Database) {}

  /** Newest first. One more than `limit` is never returned. */
  async list(workspaceId: string, options: JobListOptions): Promise<JobSummaryView[]> {
    const statement = listStatement(workspaceId, options);
    const rows = await this.database.tenantQuery<JobCoreRow & { retry_at: Date | null }>(workspaceId, statement);
    return rows.map((row) => summaryView(jobCoreOf(row), row.version, waitingOf(row, row.retry_at)));
  }

  /** @returns null when the workspace has no such job */
  async get(workspaceId: string, jobId: string): Promise<JobView | null> {
    const job = await readStoredJob(this.database, workspaceId, jobId);
    return job === null ? null : jobView(job);
  }

  /** @returns null when the workspace has no such job: a job has at least one step */
  async steps(workspaceId: string, jobId: string): Promise<StepView[] | null> {
    const text = 'SELECT * FROM job_steps WHERE workspace_id = $1 AND job_id = $2 ORDER BY ordinal';
    const statement = { name: 'steps-of-job', text, values: [workspaceId, jobId] };
    const rows = await this.database.tenantQuery<StepRow>(workspaceId, statement);
    return rows.length === 0 ? null : rows.map((row) => stepView(jobId, stepStateOf(row)));
  }

  /** Whether the workspace has the job, for lists below it that may be empty. */
  async exists(workspaceId: string, jobId: string): Promise<boolean> {
    const text = 'SELECT 1 FROM runner_jobs WHERE workspace_id = $1 AND id = $2';
    const rows = await this.database.tenantQuery(workspaceId, { text, values: [workspaceId, jobId] });
    return rows.length === 1;
  }
}
