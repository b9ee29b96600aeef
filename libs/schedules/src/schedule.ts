import type { JobDefinition } from '#runner';

/** What happens at a time of the schedule at which an earlier job of it is not over yet. */
export const OVERLAPS = ['skip', 'queue', 'cancel-previous'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** What happens with times at which nothing could be submitted because no worker was there: none, the latest, or all of them. */
export const CATCH_UPS = ['none', 'latest', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

/** What became of a time: a job; or none, because an earlier one was not over, too many waited already, or the job is not accepted any more. */
export const OUTCOMES = ['SUBMITTED', 'SKIPPED_OVERLAP', 'SKIPPED_BACKLOG', 'REFUSED'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What a person says of a schedule. */
export interface ScheduleSpec {
  name: string;
  cron: string;
  /** IANA. */
  timeZone: string;
  overlap: Overlap;
  catchUp: CatchUp;
  paused: boolean;
  job: JobDefinition;
}

/** A schedule as readers see it. Times are RFC 3339 in UTC. */
export interface ScheduleView extends ScheduleSpec {
  id: string;
  workspaceId: string;
  /** Null while it is paused, and when no time is left. */
  nextRunAt: string | null;
  lastRunAt: string | null;
  lastJobId: string | null;
  lastOutcome: Outcome | null;
  createdBy: { type: string; id: string };
  /** Who last said what it runs. */
  updatedBy: { type: string; id: string };
  version: number;
  createdAt: string;
  updatedAt: string;
}

/** A row of `schedules` as node-postgres gives it. */
export interface ScheduleRow {
  id: string;
  workspace_id: string;
  name: string;
  cron: string;
  time_zone: string;
  overlap: Overlap;
  catch_up: CatchUp;
  paused: boolean;
  definition: JobDefinition;
  next_run_at: Date | null;
  last_run_at: Date | null;
  last_job_id: string | null;
  last_outcome: Outcome | null;
  created_by_type: string;
  created_by_id: string;
  updated_by_type: string;
  updated_by_id: string;
  version: number;
  created_at: Date;
  updated_at: Date;
  [column: string]: unknown;
}

export function scheduleView(row: ScheduleRow): ScheduleView {
  return {
    ...{ id: row.id, workspaceId: row.workspace_id, name: row.name, cron: row.cron, timeZone: row.time_zone },
    ...{ overlap: row.overlap, catchUp: row.catch_up, paused: row.paused, job: row.definition },
    nextRunAt: row.next_run_at?.toISOString() ?? null,
    lastRunAt: row.last_run_at?.toISOString() ?? null,
    ...{ lastJobId: row.last_job_id, lastOutcome: row.last_outcome },
    createdBy: { type: row.created_by_type, id: row.created_by_id },
    updatedBy: { type: row.updated_by_type, id: row.updated_by_id },
    ...{ version: row.version, createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString() },
  };
}
