import type { DatabaseClient } from '#database';
import {
  INSERT_EVENTS_COLUMNS,
  INSERT_EVENTS_RECORD,
  INSERT_EVENTS_SELECT,
  eventRow,
  sealEvents,
  type NewEvent,
} from '#ledger';
import type { JobState } from '../state/job-state.js';
import { reduceJob } from '../state/reduce.js';
import { SUBMITTED_CHANNEL } from './channels.js';
import { headOf, jobStateOf, type JobRow } from './job-rows.js';

/** A job as somebody finds it who does not run it. */
export interface FoundJob {
  /** Without steps. */
  state: JobState;
  /** True while it waits for something outside and nobody holds it. */
  parked: boolean;
}

/** What is to be appended, and whether a job that waits is to be looked at because of it. */
export interface Facts {
  events: NewEvent[];
  wake: boolean;
}

/**
 * Appends facts to the chain of a job that somebody else may be running: a request for cancellation, a decision. The job's row is locked
 * until the caller's transaction ends, so `decide` sees what is true, and the worker that holds the job finds its head moved and puts
 * what it has recorded behind. Only facts that change no status can be appended so.
 *
 * @param client inside a transaction, with the workspace set where the role needs it
 * @param decide what to append, given the job; null to append nothing
 * @returns the job after it, or null when the workspace has no such job
 */
export async function appendFacts(
  client: DatabaseClient,
  workspaceId: string,
  jobId: string,
  decide: (job: FoundJob) => Facts | null | Promise<Facts | null>,
): Promise<JobState | null> {
  const { rows } = await client.query<JobRow>({ name: 'lock-job', text: LOCK, values: [workspaceId, jobId] });
  const row = rows[0];
  if (row === undefined) return null;
  const before = jobStateOf(row, []);
  const facts = await decide({ state: before, parked: row.parked_at !== null });
  if (facts === null || facts.events.length === 0) return before;

  const events = facts.events.map((event) => notBefore(event, before.updatedAt));
  const after = events.reduce<JobState>(
    (state, event) => reduceJob(state, foldable(event, workspaceId, jobId)),
    before,
  );
  if (after.status !== before.status)
    throw new Error(`${events[0]?.type ?? ''}: appended facts must not change the status`);
  const sealed = sealEvents(headOf(row), jobId, workspaceId, events);
  await client.query({
    name: 'append-facts',
    text: APPEND,
    values: [
      jobId,
      ...[
        sealed.head.seq,
        sealed.head.hash,
        after.updatedAt,
        after.cancelRequestedAt,
        facts.wake && row.parked_at !== null,
      ],
      JSON.stringify(sealed.events.map(eventRow)),
    ],
  });
  return after;
}

function foldable(event: NewEvent, workspaceId: string, jobId: string) {
  return { ...event, workspaceId, jobId, actorType: event.actor.type, actorId: event.actor.id };
}

/** Never before the last fact, even when this host's clock runs behind. */
function notBefore(event: NewEvent, earliest: string): NewEvent {
  return event.timestamp < earliest ? { ...event, timestamp: earliest } : event;
}

const LOCK = `SELECT * FROM runner_jobs WHERE workspace_id = $1 AND id = $2 FOR UPDATE`;

const APPEND = `
WITH moved AS (
  UPDATE runner_jobs SET head_seq = $2, head_hash = $3, updated_at = $4, cancel_requested_at = $5::timestamptz, version = version + 1,
    wake_at = CASE WHEN $6::boolean THEN now() ELSE wake_at END
  WHERE id = $1::uuid
), appended AS (
  INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
  SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($7::jsonb) AS ${INSERT_EVENTS_RECORD}
)
SELECT pg_notify('runledger_events', $1::uuid::text), CASE WHEN $6 THEN pg_notify('${SUBMITTED_CHANNEL}', '') END`;
