import { Injectable } from '@nestjs/common';
import { AppError, storableText, systemClock } from '#kernel';
import { Database } from '#database';
import type { Actor } from '#ledger';
import type { JobState } from '../state/job-state.js';
import { isTerminalJob } from '../state/job.machine.js';
import { appendFacts } from '../store/append-facts.js';
import { CANCEL_CHANNEL } from '../store/channels.js';

/** Of a reason, in characters. */
export const MAX_CANCEL_REASON_LENGTH = 1_000;

/**
 * Asks for the end of a job. The request is in the ledger first; then every worker hears of it, and whoever runs the job, or takes one that
 * nobody runs, carries it out.
 */
@Injectable()
export class CancelJob {
  constructor(private readonly database: Database) {}

  /**
   * Asking again changes nothing: the first request counts.
   * @returns the job as it is now, without its steps, or null when the workspace has no such job
   * @throws AppError CONFLICT, with the state in its details, when the job has ended otherwise
   */
  async cancel(workspaceId: string, jobId: string, actor: Actor, reason: string | null): Promise<JobState | null> {
    return this.database.tenant(workspaceId, async (client) => {
      const job = await appendFacts(client, workspaceId, jobId, ({ state }) =>
        isTerminalJob(state.status) || state.cancelRequestedAt !== null
          ? null
          : { events: [request(actor, reason)], wake: true },
      );
      if (job !== null) refuseEnded(job);
      // Also when it was asked for before: whoever asks again may do so because nothing happened.
      if (job !== null && !isTerminalJob(job.status))
        await client.query('SELECT pg_notify($1, $2)', [CANCEL_CHANNEL, job.id]);
      return job;
    });
  }
}

function request(actor: Actor, reason: string | null) {
  return {
    type: 'job.cancel_requested' as const,
    ...{ phase: null, stepId: null, actor, timestamp: systemClock.now() },
    payload: { reason: reason === null ? null : storableText(reason, MAX_CANCEL_REASON_LENGTH) },
  };
}

function refuseEnded({ id, status }: JobState): void {
  if (!isTerminalJob(status) || status === 'CANCELLED') return;
  throw new AppError('CONFLICT', `job ${id} is ${status}: a job that has ended cannot be cancelled`, {
    details: { state: status },
  });
}
