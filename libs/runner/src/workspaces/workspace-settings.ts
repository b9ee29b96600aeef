import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import { AppError } from '#kernel';
import { SUBMITTED_CHANNEL } from '../store/channels.js';
import type { WorkspaceChange } from './workspace-change.js';

/** A workspace and what is decided for all of its jobs. Times are RFC 3339 in UTC with three decimals. */
export interface WorkspaceView {
  id: string;
  name: string;
  /** Jobs that run at a time; null for no limit of its own. */
  maxRunningJobs: number | null;
  requireFourEyes: boolean;
  allowNetwork: boolean;
  version: number;
  createdAt: string;
  updatedAt: string;
}

interface WorkspaceRow {
  id: string;
  name: string;
  max_running_jobs: number | null;
  require_four_eyes: boolean;
  allow_network: boolean;
  version: number;
  created_at: Date;
  updated_at: Date;
}

/** What a workspace's administrators decide. Admission, gates and steps ask for it when they need it, so a change counts at once. */
@Injectable()
export class WorkspaceSettings {
  constructor(private readonly database: Database) {}

  /** @returns null when there is no such workspace */
  async get(workspaceId: string): Promise<WorkspaceView | null> {
    const [row] = await this.database.tenantQuery<WorkspaceRow>(workspaceId, { text: GET, values: [workspaceId] });
    return row === undefined ? null : viewOf(row);
  }

  /**
   * @param versions the versions that the caller knows and means; null for whatever it is now
   * @returns the workspace after it, or null when there is none
   * @throws AppError PRECONDITION_FAILED when the workspace has another version by now
   */
  async change(
    workspaceId: string,
    change: WorkspaceChange,
    versions: readonly number[] | null,
  ): Promise<WorkspaceView | null> {
    const { maxRunningJobs, requireFourEyes, allowNetwork } = change;
    const values = [
      ...[workspaceId, versions, maxRunningJobs !== undefined, maxRunningJobs ?? null],
      ...[requireFourEyes ?? null, allowNetwork ?? null],
    ];
    const [row] = await this.database.tenantQuery<WorkspaceRow>(workspaceId, { text: CHANGE, values });
    if (row !== undefined) return viewOf(row);
    const current = await this.get(workspaceId);
    if (current === null) return null;
    const message = `The workspace has version ${current.version} by now: somebody changed it. Look at it again, then decide.`;
    throw new AppError('PRECONDITION_FAILED', message, { details: { version: current.version } });
  }
}

function viewOf(row: WorkspaceRow): WorkspaceView {
  return {
    id: row.id,
    name: row.name,
    maxRunningJobs: row.max_running_jobs,
    requireFourEyes: row.require_four_eyes,
    allowNetwork: row.allow_network,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

const COLUMNS = 'id, name, max_running_jobs, require_four_eyes, allow_network, version, created_at, updated_at';

const GET = `SELECT ${COLUMNS} FROM workspaces WHERE id = $1`;

/** Workers hear of it: a higher limit lets jobs in. */
const CHANGE = `
WITH changed AS (
  UPDATE workspaces SET
    max_running_jobs = CASE WHEN $3::boolean THEN $4::int ELSE max_running_jobs END,
    require_four_eyes = coalesce($5::boolean, require_four_eyes),
    allow_network = coalesce($6::boolean, allow_network),
    version = version + 1, updated_at = now()
  WHERE id = $1 AND ($2::int[] IS NULL OR version = ANY ($2::int[]))
  RETURNING ${COLUMNS}
), told AS MATERIALIZED (
  SELECT pg_notify('${SUBMITTED_CHANNEL}', '') FROM changed
)
SELECT changed.* FROM changed, told`;
