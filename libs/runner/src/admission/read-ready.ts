import type { DatabaseClient } from '#database';
import { JOB_CORE_COLUMNS, type JobRow } from '../store/job-rows.js';
import type { Tenant } from './candidate.js';

/** The most jobs that one pass admits. */
export const PASS_SIZE = 200;
/** The most workspaces that one pass looks at; the next pass goes on behind them. */
const TENANTS = 100;

/** In how many milliseconds the next thing of its kind becomes due; not positive: now. Null: nothing is waited for. */
export interface NextDue {
  delayed: number | null;
  parked: number | null;
  expiring: number | null;
  lines: number | null;
}

/** What a pass finds. */
export interface Ready {
  /** The database's clock, in whole milliseconds: hosts may disagree about the time. */
  now: Date;
  /** How many more jobs may go to the queue. */
  places: number;
  tenants: Tenant[];
  /** True when jobs wait that were not even read, for want of places. */
  waiting: boolean;
  /** True when not all workspaces were looked at. */
  moreTenants: boolean;
  due: NextDue;
}

export interface TenantColumns {
  active: number[] | null;
  max_running_jobs: number | null;
}

export interface DueColumns {
  delayed_ms: number | null;
  parked_ms: number | null;
  expiring_ms: number | null;
  lines_ms: number | null;
}

type ReadyRow = TenantColumns &
  DueColumns &
  Partial<JobRow> & { db_now: Date; places: number; waiting: boolean; tenants: number; per_tenant: number };

/**
 * Reads what could be admitted now: of the workspaces that come behind `after` in the circle of their ids, the first jobs each. What
 * it costs depends on the places that are free, not on how many jobs or workspaces wait.
 * @param window how many jobs may be on the queue at a time
 */
export async function readReady(client: DatabaseClient, window: number, after: string): Promise<Ready> {
  const { rows } = await client.query<ReadyRow>({ name: 'ready-jobs', text: READY, values: [window, after] });
  const first = rows[0];
  if (first === undefined) throw new Error('the database did not say what is ready');
  return {
    now: first.db_now,
    places: first.places,
    tenants: tenantsOf(rows),
    waiting: first.waiting,
    moreTenants: first.tenants === tenantsPerPass(first.places),
    due: dueOf(first),
  };
}

export function dueOf(row: DueColumns): NextDue {
  return { delayed: row.delayed_ms, parked: row.parked_ms, expiring: row.expiring_ms, lines: row.lines_ms };
}

/** Some more than there are places, so that those with the fewest active jobs can be preferred. */
function tenantsPerPass(places: number): number {
  return Math.min(TENANTS, places + 10);
}

function tenantsOf(rows: ReadyRow[]): Tenant[] {
  const tenants = new Map<string, Tenant>();
  for (const row of rows) {
    if (!isJob(row)) continue;
    const tenant = tenants.get(row.workspace_id) ?? tenantOf(row);
    tenants.set(tenant.workspaceId, tenant);
    tenant.candidates.push({ row, line: null });
    tenant.hasMore = tenant.candidates.length === row.per_tenant;
  }
  return [...tenants.values()];
}

export function tenantOf(row: TenantColumns & { workspace_id: string }): Tenant {
  return {
    workspaceId: row.workspace_id,
    active: row.active ?? [],
    limit: row.max_running_jobs,
    candidates: [],
    hasMore: false,
  };
}

function isJob(row: ReadyRow): row is ReadyRow & JobRow {
  return row.id !== null;
}

/** A PENDING job without what can be large: admission does not look into definitions. */
export const CANDIDATE_COLUMNS = `${JOB_CORE_COLUMNS}, '{}'::jsonb AS definition, NULL::jsonb AS result, failed_step_id, head_seq, head_hash, epoch, offers, workdir_host`;

/** The workspace's limit, and what of it is active now. What lies beyond the thousand makes no difference unless the limit does. */
export const TENANT_COLUMNS = `workspace.max_running_jobs, ARRAY(
    SELECT job.priority FROM runner_jobs AS job
    WHERE job.status IN ('QUEUED', 'RUNNING') AND job.parked_at IS NULL AND job.workspace_id = workspace.id
    LIMIT greatest(1000, coalesce(workspace.max_running_jobs, 0))) AS active`;

const untilMs = (time: string): string => `(extract(epoch FROM ${time} - clock_timestamp()) * 1000)::float8`;

/** When there is something to do next that nobody will tell. One probe of an index each. */
export const DUE_COLUMNS = `
  (SELECT ${untilMs('run_at')} FROM runner_jobs WHERE status = 'PENDING' AND hold = 'DELAY' ORDER BY run_at LIMIT 1) AS delayed_ms,
  (SELECT ${untilMs('wake_at')} FROM runner_jobs WHERE parked_at IS NOT NULL AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1) AS parked_ms,
  (SELECT ${untilMs('expires_at')} FROM runner_jobs
   WHERE status IN ('PENDING', 'QUEUED') AND expires_at IS NOT NULL AND lease_owner IS NULL ORDER BY expires_at LIMIT 1) AS expiring_ms,
  (SELECT ${untilMs('due_at')} FROM admission_keys ORDER BY due_at LIMIT 1) AS lines_ms`;

export const IS_READY = `status = 'PENDING' AND hold IS NULL AND cancel_requested_at IS NULL`;

/** The ring walks from one workspace to the next by the index (a loose scan), and comes around to where it began. */
const READY = `
WITH RECURSIVE room AS MATERIALIZED (
  SELECT least(${PASS_SIZE}, greatest(0, $1::int - count(*)))::int AS places
  FROM (SELECT FROM runner_jobs WHERE status = 'QUEUED' AND status IN ('QUEUED', 'RUNNING') AND parked_at IS NULL LIMIT $1::int) AS queued
), ring(workspace_id, wrapped, position) AS (
  SELECT $2::uuid, false, 0 FROM room WHERE places > 0
  UNION ALL
  SELECT next.workspace_id, next.wrapped, ring.position + 1
  FROM ring CROSS JOIN LATERAL (
    (SELECT workspace_id, ring.wrapped AS wrapped FROM runner_jobs
     WHERE ${IS_READY} AND workspace_id > ring.workspace_id ORDER BY workspace_id LIMIT 1)
    UNION ALL
    (SELECT workspace_id, true FROM runner_jobs WHERE ${IS_READY} AND NOT ring.wrapped ORDER BY workspace_id LIMIT 1)
    LIMIT 1) AS next
  WHERE (NOT next.wrapped OR next.workspace_id <= $2::uuid)
), member AS MATERIALIZED (
  SELECT workspace_id, position FROM ring WHERE position > 0
  LIMIT (SELECT least(${TENANTS}, places + 10) FROM room)
), share AS MATERIALIZED (
  SELECT count(*)::int AS tenants, ceil(2.0 * (SELECT places FROM room) / greatest(1, count(*)))::int AS per_tenant FROM member
), tenant AS MATERIALIZED (
  SELECT member.position, workspace.id, ${TENANT_COLUMNS} FROM member JOIN workspaces AS workspace ON workspace.id = member.workspace_id
), base AS MATERIALIZED (
  SELECT date_trunc('milliseconds', clock_timestamp()) AS db_now, room.places, share.tenants, share.per_tenant,
    room.places = 0 AND EXISTS (SELECT FROM runner_jobs WHERE ${IS_READY}) AS waiting, ${DUE_COLUMNS}
  FROM room CROSS JOIN share
)
SELECT base.*, found.* FROM base LEFT JOIN (
  SELECT tenant.position, tenant.active, tenant.max_running_jobs, job.*
  FROM tenant CROSS JOIN LATERAL (
    SELECT ${CANDIDATE_COLUMNS} FROM runner_jobs WHERE ${IS_READY} AND workspace_id = tenant.id
    ORDER BY priority, runner_jobs.id LIMIT (SELECT per_tenant FROM share)) AS job
) AS found ON true
ORDER BY found.position, found.priority, found.id`;
