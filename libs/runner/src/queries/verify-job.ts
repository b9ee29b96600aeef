import { Injectable } from '@nestjs/common';
import { Database } from '#database';
import { EventQueries, type ChainHead, type LedgerEvent } from '#ledger';
import type { JobState } from '../state/job-state.js';
import { IllegalEventError, reduceJob } from '../state/reduce.js';
import { compareStates } from './compare-states.js';
import { readStoredJob } from './stored-job.js';

export interface VerifyView {
  jobId: string;
  valid: boolean;
  events: number;
  head: ChainHead;
  firstBad: { seq: number; reason: string; message: string } | null;
  fold: { matches: boolean; differences: string[] };
}

const PAGE = 500;

/** Proves a job from its events: the chain holds up to the recorded head, and folding it gives the stored rows. */
@Injectable()
export class VerifyJob {
  constructor(
    private readonly database: Database,
    private readonly events: EventQueries,
  ) {}

  /**
   * A job with an erased payload cannot be folded; its chain can be valid all the same.
   * @returns null when the workspace has no such job
   */
  async verify(workspaceId: string, jobId: string): Promise<VerifyView | null> {
    const folding = new Folding();
    const chain = await this.events.verifyJob(workspaceId, jobId, (event) => folding.push(event));
    if (chain === null) return null;
    const { events, head } = chain;
    if (!chain.valid) {
      const { seq, reason, message } = chain.firstBad;
      return {
        jobId,
        valid: false,
        events,
        head,
        firstBad: { seq, reason, message },
        fold: { matches: false, differences: ['not compared: the chain does not hold'] },
      };
    }
    const differences = await this.compare(workspaceId, jobId, folding);
    return {
      jobId,
      valid: differences.length === 0 || folding.erased,
      events,
      head,
      firstBad: null,
      fold: { matches: differences.length === 0, differences },
    };
  }

  private async compare(workspaceId: string, jobId: string, folding: Folding): Promise<string[]> {
    const stored = await readStoredJob(this.database, workspaceId, jobId);
    if (stored === null) return ['the job is gone'];
    // A running job has gone on since its chain was read: fold up to the rows' own head.
    while (folding.problem === null && folding.seq < stored.head.seq) {
      const more = await this.events.page(
        workspaceId,
        jobId,
        folding.seq,
        Math.min(PAGE, stored.head.seq - folding.seq),
      );
      if (more.length === 0)
        return [`the rows are those of event ${stored.head.seq}, but the last event is ${folding.seq}`];
      for (const event of more) folding.push(event);
    }
    if (folding.problem !== null) return [folding.problem];
    return folding.state === null ? ['the job has no events'] : compareStates(folding.state, stored.state);
  }
}

/** The fold so far, and why it cannot go on if it cannot. */
class Folding {
  state: JobState | null = null;
  seq = 0;
  problem: string | null = null;
  erased = false;

  push(event: LedgerEvent): void {
    this.seq = event.seq;
    if (this.problem !== null) return;
    try {
      this.state = reduceJob(this.state, event);
    } catch (error) {
      if (!(error instanceof IllegalEventError)) throw error;
      this.erased = event.payload === null;
      this.problem = `event ${event.seq} cannot be folded: ${error.message}`;
    }
  }
}
