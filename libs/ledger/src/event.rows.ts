import type { Json } from '#kernel';
import type { LedgerEvent } from './catalogue.js';

/**
 * How an event lies in `job_events`. It must come back exactly as it was hashed: ids are lower-case UUIDs, the timestamp has the
 * three decimals that the column has, and jsonb keeps every double, every string and no key order, which is all that canonical JSON sees.
 */

/** The record of one event in the JSON array that a batch INSERT reads. */
export type EventRecord = Omit<LedgerEvent, 'v'>;

/** One element of the JSON array that `INSERT_EVENTS_RECORD` describes. */
export function eventRow(event: LedgerEvent): EventRecord {
  const { v: _version, ...record } = event;
  return record;
}

/**
 * The parts of the one statement that appends events of many jobs, to be embedded in a larger one:
 *
 * ```sql
 * INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
 * SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($1::jsonb) AS ${INSERT_EVENTS_RECORD}
 * ```
 *
 * where $1 is `JSON.stringify(events.map(eventRow))`.
 */
export const INSERT_EVENTS_COLUMNS =
  'id, workspace_id, job_id, step_id, seq, type, phase, actor_type, actor_id, timestamp, payload, payload_hash, prev_hash, hash';

export const INSERT_EVENTS_SELECT =
  'e.id, e."workspaceId", e."jobId", e."stepId", e.seq, e.type, e.phase, e."actorType", e."actorId", e.timestamp, e.payload, e."payloadHash", e."prevHash", e.hash';

export const INSERT_EVENTS_RECORD =
  'e(id uuid, "workspaceId" uuid, "jobId" uuid, "stepId" uuid, seq int, type text, phase job_step_phase, "actorType" text, "actorId" text, timestamp timestamptz, payload jsonb, "payloadHash" text, "prevHash" text, hash text)';

/** A row of `job_events` as node-postgres gives it. */
export interface EventRow {
  id: string;
  workspace_id: string;
  job_id: string;
  step_id: string | null;
  seq: number;
  type: string;
  phase: string | null;
  actor_type: string;
  actor_id: string;
  timestamp: Date;
  payload: { [key: string]: Json } | null;
  payload_hash: string;
  prev_hash: string;
  hash: string;
}

/** The columns of `EventRow`. */
export const EVENT_COLUMNS = INSERT_EVENTS_COLUMNS;

export function toLedgerEvent(row: EventRow): LedgerEvent {
  return {
    id: row.id,
    v: 1,
    workspaceId: row.workspace_id,
    jobId: row.job_id,
    seq: row.seq,
    type: row.type,
    phase: row.phase,
    stepId: row.step_id,
    actorType: row.actor_type,
    actorId: row.actor_id,
    timestamp: row.timestamp.toISOString(),
    payload: row.payload,
    payloadHash: row.payload_hash,
    prevHash: row.prev_hash,
    hash: row.hash,
  };
}
