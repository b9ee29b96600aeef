import type { Database } from '#database';
import type { EventPayloads } from '#ledger';
import type { JobState } from '../state/job-state.js';

/** What a receipt says besides how the job ended. */
export type CancelReceipt = Omit<EventPayloads['job.cancelled'], 'result'>;

interface ReceiptRow {
  actor_type: string;
  actor_id: string;
  reason: string | null;
  timestamp: Date;
  stopped: { stepKey: string; attempt: number; signals: string; endedAt: string | null }[] | null;
}

/**
 * Who asked first for the job's cancellation, and how the commands ended that ran at that time. It is read from what is stored, so that a
 * worker that takes the job over in the middle of it can write the receipt too.
 */
export async function readCancelReceipt(database: Database, { id, workspaceId }: JobState): Promise<CancelReceipt> {
  const statement = { name: 'cancel-receipt', text: RECEIPT, values: [workspaceId, id] };
  const [row] = await database.query<ReceiptRow & Record<string, unknown>>(statement);
  if (row === undefined) throw new Error(`nobody asked for the cancellation of job ${id}`);
  const stopped = (row.stopped ?? []).map(({ signals, endedAt, ...execution }) => ({
    ...execution,
    signals: signals.split(' ').filter((signal) => signal !== ''),
    endedAt: endedAt === null ? null : new Date(endedAt).toISOString(),
  }));
  const exits = stopped.flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt]));
  return {
    reason: row.reason,
    requestedAt: row.timestamp.toISOString(),
    requestedBy: { type: row.actor_type, id: row.actor_id },
    stopped,
    lastProcessExitAt: exits.sort().at(-1) ?? null,
  };
}

const RECEIPT = `
SELECT event.actor_type, event.actor_id, event.payload ->> 'reason' AS reason, event.timestamp, (
  SELECT jsonb_agg(jsonb_build_object('stepKey', step.key, 'attempt', run.attempt, 'signals', coalesce(run.metadata ->> 'signalsSent', ''), 'endedAt', run.ended_at)
    ORDER BY run.started_at, run.id)
  FROM sandbox_jobs AS run JOIN job_steps AS step ON step.id = run.step_id
  WHERE run.job_id = $2 AND step.phase <> 'CLEANUP' AND (run.ended_at IS NULL OR run.ended_at >= event.timestamp)
) AS stopped
FROM job_events AS event
WHERE event.workspace_id = $1 AND event.job_id = $2 AND event.type = 'job.cancel_requested' ORDER BY event.seq LIMIT 1`;
