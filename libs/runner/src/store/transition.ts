import type { ChainHead, LedgerEvent } from '#ledger';
import type { JobState } from '../state/job-state.js';

/**
 * What becomes of the job's delivery with a transition:
 * - `keep`: the writer holds on to its claim;
 * - `release`: nobody needs to hold the job any more (it is over, or it waits for something outside);
 * - `offer`: the job is about to be put on the queue, for whoever takes it.
 */
export type Delivery = 'keep' | 'release' | 'offer';

/** One atomic step of a job's history: the events, and the rows as they are after folding them. */
export interface Transition {
  before: JobState;
  after: JobState;
  /** The claim under which this is written. A job with another epoch by now belongs to somebody else. */
  epoch: number;
  /** The head that the events were sealed behind. */
  headBefore: ChainHead;
  head: ChainHead;
  events: LedgerEvent[];
  delivery: Delivery;
  /** Command executions that began or ended. */
  sandboxJobs: SandboxJobRow[];
}

/** One execution of a command, as the row of `sandbox_jobs` says it. */
export interface SandboxJobRow {
  id: string;
  stepId: string;
  attempt: number;
  status: 'running' | 'succeeded' | 'failed';
  driver: string;
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  exitCode: number | null;
  signal: string | null;
  failureCode: string | null;
  transcriptRef: string | null;
  transcriptBytes: number;
  transcriptSha256: string | null;
  transcriptTruncated: boolean;
  metadata: Record<string, string | number | boolean>;
}
