import type { DatabaseClient } from '#database';
import { AppError } from '#kernel';
import type { Actor } from '#ledger';
import type { JobDefinition, SubmitJob } from '#runner';
import { CronTimes } from './cron-times.js';
import type { Outcome, ScheduleRow } from './schedule.js';

/** A time is on time when it is no older than this; older ones were missed, and the catch-up policy decides about them. */
const ON_TIME_MS = 60_000;
/** The most missed times that are caught up on. */
const MAX_CAUGHT_UP = 100;
/** The most jobs of one schedule that wait or run at a time. */
const MAX_UNFINISHED = 100;

/** What became of a schedule that was due. */
export interface Fired {
  outcome: Outcome | null;
  jobIds: string[];
}

/**
 * Submits what a schedule owes by now and sets its next time, in the caller's transaction, which holds the schedule's row: a time is
 * fired once, whatever happens to the worker.
 */
export async function fireSchedule(
  client: DatabaseClient,
  submitJob: SubmitJob,
  row: ScheduleRow,
  now: Date,
): Promise<Fired> {
  const times = new CronTimes(row.cron, row.time_zone);
  const fired: Fired = { outcome: null, jobIds: [] };
  let lastRunAt: Date | null = null;
  for (const time of dueTimes(times, row, now)) {
    const { outcome, jobId } = await fireOnce(client, submitJob, row, time);
    fired.outcome = outcome;
    if (jobId !== null) fired.jobIds.push(jobId);
    lastRunAt = time;
  }
  const values = [
    row.id,
    times.next(now)?.toISOString() ?? null,
    lastRunAt?.toISOString() ?? null,
    fired.jobIds.at(-1) ?? null,
    fired.outcome,
  ];
  await client.query({ name: 'schedule-fired', text: FIRED, values });
  return fired;
}

/** The times that are to be fired: the one that is due, and of those that were missed what the policy says. */
export function dueTimes(
  times: CronTimes,
  { next_run_at: since, catch_up: catchUp }: Pick<ScheduleRow, 'next_run_at' | 'catch_up'>,
  now: Date,
): Date[] {
  if (since === null || since > now) return [];
  const due = times.between(since, now, MAX_CAUGHT_UP);
  const latest = due.slice(-1);
  if (catchUp === 'all') return due;
  if (catchUp === 'latest') return latest;
  return latest.filter((time) => now.getTime() - time.getTime() <= ON_TIME_MS);
}

async function fireOnce(
  client: DatabaseClient,
  submitJob: SubmitJob,
  row: ScheduleRow,
  time: Date,
): Promise<{ outcome: Outcome; jobId: string | null }> {
  const { rows } = await client.query<{ count: number }>({
    name: 'unfinished-of-schedule',
    text: UNFINISHED,
    values: [row.id, MAX_UNFINISHED],
  });
  const unfinished = rows[0]?.count ?? 0;
  if (row.overlap === 'skip' && unfinished > 0) return { outcome: 'SKIPPED_OVERLAP', jobId: null };
  if (unfinished >= MAX_UNFINISHED) return { outcome: 'SKIPPED_BACKLOG', jobId: null };
  const actor: Actor = { type: 'system', id: `schedule/${row.id}` };
  const origin = { schedule: { scheduleId: row.id, scheduledFor: time.toISOString() } };
  try {
    const { state } = await submitJob.submitWithin(client, row.workspace_id, actor, definitionOf(row), origin);
    return { outcome: 'SUBMITTED', jobId: state.id };
  } catch (error) {
    // What was acceptable when the schedule was made may not be so any more: the workspace has taken the network away, say.
    if (error instanceof AppError && ['VALIDATION_FAILED', 'EXPRESSION_FAILED'].includes(error.code))
      return { outcome: 'REFUSED', jobId: null };
    throw error;
  }
}

/** Overlap is a concurrency rule of the schedule's own: admission carries it out. */
function definitionOf({ id, overlap, definition }: ScheduleRow): JobDefinition {
  if (overlap === 'skip') return definition;
  const onConflict = overlap === 'queue' ? 'queue' : 'cancel-running';
  return { ...definition, concurrency: { key: `schedule:${id}`, limit: 1, onConflict } };
}

const UNFINISHED = `
SELECT count(*)::int AS count FROM (
  SELECT 1 FROM runner_jobs WHERE schedule_id = $1 AND status IN ('PENDING', 'QUEUED', 'RUNNING') LIMIT $2
) AS unfinished`;

const FIRED = `
UPDATE schedules SET next_run_at = $2, last_run_at = coalesce($3, last_run_at), last_job_id = coalesce($4, last_job_id),
  last_outcome = coalesce($5, last_outcome) WHERE id = $1`;
