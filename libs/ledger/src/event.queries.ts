import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import type { ChainHead, LedgerEvent } from './catalogue.js';
import { EVENT_COLUMNS, toLedgerEvent, type EventRow } from './event.rows.js';
import { ChainVerifier, type ChainVerdict } from './verify.js';

const VERIFY_PAGE = 500;

/** Reads the ledger of one workspace. What belongs to another is not there. */
@Injectable()
export class EventQueries {
  constructor(private readonly database: Database) {}

  /** Up to `limit` events behind `afterSeq`, in the order of their `seq`; none for a job that the workspace does not have. */
  async page(workspaceId: string, jobId: string, afterSeq: number, limit: number): Promise<LedgerEvent[]> {
    const statement = eventsStatement(workspaceId, jobId, afterSeq, limit);
    return (await this.database.tenantQuery<EventRow>(workspaceId, statement)).map(toLedgerEvent);
  }

  /** Where the job's row says that its chain ends. @returns null when the workspace has no such job */
  async head(workspaceId: string, jobId: string): Promise<ChainHead | null> {
    const text = 'SELECT head_seq AS seq, head_hash AS hash FROM runner_jobs WHERE workspace_id = $1 AND id = $2';
    const statement = { name: 'head-of-job', text, values: [workspaceId, jobId] };
    const [head] = await this.database.tenantQuery<{ seq: number; hash: string }>(workspaceId, statement);
    return head ?? null;
  }

  /**
   * Checks the job's whole chain, page by page, against the head in its row. The job may be running meanwhile: events and head are committed
   * together, so when a look at the head is followed by a page without new events, the head names the last event, or events are missing.
   *
   * @param witness sees each event that holds, in order: whoever wants to fold them need not read them again
   * @returns null when the workspace has no such job
   */
  async verifyJob(
    workspaceId: string,
    jobId: string,
    witness: (event: LedgerEvent) => void = () => {},
  ): Promise<ChainVerdict | null> {
    // A URL may write ids in capitals; the ledger has them in lower case.
    const verifier = new ChainVerifier(jobId.toLowerCase(), workspaceId.toLowerCase());
    for (;;) {
      const recorded = await this.head(workspaceId, jobId);
      if (recorded === null) return null;
      const before = verifier.head.seq;
      for await (const event of this.after(workspaceId, jobId, before)) {
        if (verifier.push(event) !== null) break;
        witness(event);
      }
      if (verifier.head.seq === before) return verifier.finish(recorded);
    }
  }

  private async *after(workspaceId: string, jobId: string, seq: number): AsyncGenerator<LedgerEvent, void> {
    for (let last = seq; ;) {
      const events = await this.page(workspaceId, jobId, last, VERIFY_PAGE);
      yield* events;
      if (events.length < VERIFY_PAGE) return;
      last = events.at(-1)?.seq ?? last;
    }
  }
}

/** The statement of `page`, for a caller that sends it together with others; its rows are `EventRow`s. */
export function eventsStatement(workspaceId: string, jobId: string, afterSeq: number, limit: number) {
  return { name: 'events-of-job', text: EVENTS_OF_JOB, values: [workspaceId, jobId, afterSeq, limit] };
}

const EVENTS_OF_JOB = `
SELECT ${EVENT_COLUMNS} FROM job_events
WHERE workspace_id = $1 AND job_id = $2 AND seq > $3 ORDER BY seq LIMIT $4`;
