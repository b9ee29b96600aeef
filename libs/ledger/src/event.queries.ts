import { Injectable } from '@nestjs/common';
import { Database, type DatabaseClient } from '#database';
import type { ChainHead, LedgerEvent } from './catalogue.js';
import { EVENT_COLUMNS, toLedgerEvent, type EventRow } from './event.rows.js';
import { ChainVerifier, type ChainVerdict } from './verify.js';

const VERIFY_PAGE = 500;

/** Reads the ledger of one workspace. What belongs to another is not there. */
@Injectable()
export class EventQueries {
  constructor(private readonly database: Database) {}

  /** Up to `limit` events behind `afterSeq`, in the order of their `seq`; none for a job that the workspace does not have. */
  page(workspaceId: string, jobId: string, afterSeq: number, limit: number): Promise<LedgerEvent[]> {
    return this.database.tenant(workspaceId, (client) => this.pageWithin(client, workspaceId, jobId, afterSeq, limit));
  }

  /** As `page`, in the tenant's transaction of a caller that reads more than this. */
  async pageWithin(
    client: DatabaseClient,
    workspaceId: string,
    jobId: string,
    afterSeq: number,
    limit: number,
  ): Promise<LedgerEvent[]> {
    const values = [workspaceId, jobId, afterSeq, limit];
    const { rows } = await client.query<EventRow>({ name: 'events-of-job', text: EVENTS_OF_JOB, values });
    return rows.map(toLedgerEvent);
  }

  /** Where the job's row says that its chain ends. @returns null when the workspace has no such job */
  head(workspaceId: string, jobId: string): Promise<ChainHead | null> {
    return this.database.tenant(workspaceId, async (client) => {
      const text = 'SELECT head_seq AS seq, head_hash AS hash FROM runner_jobs WHERE workspace_id = $1 AND id = $2';
      const { rows } = await client.query<ChainHead>({ name: 'head-of-job', text, values: [workspaceId, jobId] });
      return rows[0] ?? null;
    });
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

const EVENTS_OF_JOB = `
SELECT ${EVENT_COLUMNS} FROM job_events
WHERE workspace_id = $1 AND job_id = $2 AND seq > $3 ORDER BY seq LIMIT $4`;
