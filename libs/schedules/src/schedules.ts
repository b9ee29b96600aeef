import { Injectable } from '@nestjs/common';
import { AppError, newId } from '#kernel';
import { Database } from '#database';
import type { Actor } from '#ledger';
import { CronTimes } from './cron-times.js';
import { scheduleView, type ScheduleRow, type ScheduleSpec, type ScheduleView } from './schedule.js';

/** What workers listen on to hear that a schedule was added or changed: no payload. */
export const SCHEDULES_CHANNEL = 'runledger_schedules';

/** Keeps the schedules of one workspace. What belongs to another is not there. */
@Injectable()
export class Schedules {
  constructor(private readonly database: Database) {}

  /** @throws AppError CONFLICT when the workspace has a schedule of this name */
  async create(workspaceId: string, actor: Actor, spec: ScheduleSpec): Promise<ScheduleView> {
    const values = [newId(), workspaceId, ...valuesOf(spec), actor.type, actor.id];
    return this.write(workspaceId, spec.name, async () => {
      const [rows] = await this.database.tenantQueries<[ScheduleRow, object]>(workspaceId, [
        { name: 'insert-schedule', text: INSERT, values },
        CHANGED,
      ]);
      return rows[0];
    });
  }

  /** Newest first. */
  async list(workspaceId: string, beforeId: string | null, limit: number): Promise<ScheduleView[]> {
    const rows = await this.database.tenantQuery<ScheduleRow>(workspaceId, {
      name: 'list-schedules',
      text: LIST,
      values: [workspaceId, beforeId, limit],
    });
    return rows.map(scheduleView);
  }

  /** @returns null when the workspace has no such schedule */
  async get(workspaceId: string, id: string): Promise<ScheduleView | null> {
    const text = 'SELECT * FROM schedules WHERE workspace_id = $1 AND id = $2';
    const statement = { name: 'get-schedule', text, values: [workspaceId, id] };
    const [row] = await this.database.tenantQuery<ScheduleRow>(workspaceId, statement);
    return row === undefined ? null : scheduleView(row);
  }

  /**
   * Replaces what the schedule says. Its next time is counted from now.
   * @param versions the versions that the caller has seen; null for any
   * @returns null when the workspace has no such schedule
   * @throws AppError PRECONDITION_FAILED when it has changed since; CONFLICT when another has the name
   */
  async replace(
    workspaceId: string,
    id: string,
    spec: ScheduleSpec,
    versions: number[] | null,
    actor: Actor,
  ): Promise<ScheduleView | null> {
    const values = [workspaceId, id, ...valuesOf(spec), versions, actor.type, actor.id];
    return this.change(workspaceId, id, spec.name, { name: 'replace-schedule', text: REPLACE, values });
  }

  /** Stops it from firing, or lets it fire again; times in between are not caught up on. @returns null as `get` */
  async setPaused(workspaceId: string, id: string, paused: boolean): Promise<ScheduleView | null> {
    const found = await this.get(workspaceId, id);
    if (found === null || found.paused === paused) return found;
    // Who says what it runs stays who it was.
    return this.replace(workspaceId, id, { ...found, paused }, [found.version], found.updatedBy as Actor);
  }

  /** Its jobs stay. @returns false when the workspace has no such schedule */
  async remove(workspaceId: string, id: string, versions: number[] | null): Promise<boolean> {
    const text =
      'DELETE FROM schedules WHERE workspace_id = $1 AND id = $2 AND ($3::int[] IS NULL OR version = ANY ($3::int[])) RETURNING id';
    const rows = await this.database.tenantQuery(workspaceId, { text, values: [workspaceId, id, versions] });
    if (rows.length === 0 && (await this.get(workspaceId, id)) !== null) throw changedMeanwhile();
    return rows.length > 0;
  }

  private async change(
    workspaceId: string,
    id: string,
    name: string,
    statement: { name: string; text: string; values: unknown[] },
  ): Promise<ScheduleView | null> {
    if ((await this.get(workspaceId, id)) === null) return null;
    return this.write(workspaceId, name, async () => {
      const [rows] = await this.database.tenantQueries<[ScheduleRow, object]>(workspaceId, [statement, CHANGED]);
      if (rows[0] === undefined) throw changedMeanwhile();
      return rows[0];
    });
  }

  private async write(
    workspaceId: string,
    name: string,
    run: () => Promise<ScheduleRow | undefined>,
  ): Promise<ScheduleView> {
    try {
      const row = await run();
      if (row === undefined) throw new Error('the schedule was not written');
      return scheduleView(row);
    } catch (error) {
      if (isTaken(error)) throw new AppError('CONFLICT', `the workspace has a schedule named "${name}" already`);
      throw error;
    }
  }
}

function valuesOf(spec: ScheduleSpec): unknown[] {
  const { name, cron, timeZone, overlap, catchUp, paused, job } = spec;
  const nextRunAt = paused ? null : new CronTimes(cron, timeZone).next(new Date());
  return [name, cron, timeZone, overlap, catchUp, paused, JSON.stringify(job), nextRunAt?.toISOString() ?? null];
}

function changedMeanwhile(): AppError {
  return new AppError('PRECONDITION_FAILED', 'The schedule has changed since: read it again.');
}

/** unique_violation; a workspace has one other unique constraint here, which no new id breaks. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}

const CHANGED = { text: `SELECT pg_notify('${SCHEDULES_CHANNEL}', '')`, values: [] };

const INSERT = `
INSERT INTO schedules (id, workspace_id, name, cron, time_zone, overlap, catch_up, paused, definition, next_run_at, created_by_type, created_by_id,
  updated_by_type, updated_by_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $11, $12) RETURNING *`;

const LIST = `
SELECT * FROM schedules WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2::uuid) ORDER BY id DESC LIMIT $3`;

const REPLACE = `
UPDATE schedules SET name = $3, cron = $4, time_zone = $5, overlap = $6, catch_up = $7, paused = $8, definition = $9::jsonb, next_run_at = $10, updated_by_type = $12, updated_by_id = $13,
  version = version + 1, updated_at = now()
WHERE workspace_id = $1 AND id = $2 AND ($11::int[] IS NULL OR version = ANY ($11::int[])) RETURNING *`;
