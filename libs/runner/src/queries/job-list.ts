import type { JobStatus } from '../state/job-state.js';
import { JOB_CORE_COLUMNS } from '../store/job-rows.js';
import { metadataTerm, tagTerm } from '../submit/search-terms.js';

/** Which jobs. Everything that is given has to fit. */
export interface JobFilter {
  status: JobStatus | null;
  kind: string | null;
  projectId: string | null;
  scheduleId: string | null;
  /** The job of which others are retries. */
  retryOf: string | null;
  tags: string[];
  /** Scalars at the top of the metadata, by name, as text. */
  metadata: Record<string, string>;
}

export interface JobListOptions extends Partial<JobFilter> {
  limit: number;
  /** Only jobs created before this one: ids sort by creation, so new jobs never shift a page. */
  beforeId: string | null;
}

const COLUMNS = JOB_CORE_COLUMNS.split(/,\s*/)
  .map((column) => `job.${column}`)
  .join(', ');

/** Of a job that waits: when the next attempt of a step is due. */
const RETRY_AT = `CASE WHEN job.parked_at IS NOT NULL THEN (SELECT min(step.retry_at) FROM job_steps AS step
  WHERE step.workspace_id = $1 AND step.job_id = job.id AND step.status = 'PENDING') END AS retry_at`;

/**
 * One page, newest first. It has no name: each list is planned for its own filters, so that of several words the rarest leads. A word's
 * rows are in the order of the list, and so are a project's: a page costs what is on it, however many jobs there are.
 */
export function listStatement(workspaceId: string, options: JobListOptions): { text: string; values: unknown[] } {
  const values: unknown[] = [workspaceId, options.limit];
  const conditions = ['job.workspace_id = $1'];
  const where = (sql: string, value: unknown): void => {
    if (value !== null && value !== undefined) conditions.push(sql.replace('?', `$${values.push(value)}`));
  };
  where('job.id < ?', options.beforeId);
  where('job.status = ?', options.status);
  where('job.kind = ?', options.kind);
  where('job.project_id = ?', options.projectId);
  where('job.schedule_id = ?', options.scheduleId);
  where('job.retry_of_id = ?', options.retryOf);
  const joins = wordsOf(options).map((word, index) => {
    const term = `term${index}`;
    where(`${term}.job_id < ?`, options.beforeId);
    return `JOIN job_terms AS ${term} ON ${term}.job_id = job.id AND ${term}.workspace_id = $1 AND ${term}.term = $${values.push(word)}`;
  });
  const from = ['runner_jobs AS job', ...joins].join(' ');
  const text = `SELECT ${COLUMNS}, ${RETRY_AT} FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY job.id DESC LIMIT $2`;
  return { text, values };
}

function wordsOf({ tags = [], metadata = {} }: JobListOptions): string[] {
  return [
    ...new Set([...tags.map(tagTerm), ...Object.entries(metadata).map(([name, value]) => metadataTerm(name, value))]),
  ];
}
