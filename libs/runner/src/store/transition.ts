import type { ChainHead, LedgerEvent } from '#ledger';
import type { JobState } from '../state/job-state.js';

/**
 * What becomes of the job's delivery with a transition:
 * - `keep`: the writer holds on to its claim;
 * - `release`: nobody needs to hold the job any more: it is over;
 * - `offer`: the job is about to be put on the queue, for whoever takes it;
 * - `park`: it waits for something outside, or for a time, and nobody holds it until then.
 */
export type Delivery = 'keep' | 'release' | 'offer' | 'park';

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
  /** With `park`: when to look at the job again at the latest; null while only an event can wake it. RFC 3339. */
  wakeAt: string | null;
  /** Where the workdir is now; left out by whoever does not touch it. */
  workdir?: WorkdirPlace;
  /** Command executions that began or ended. */
  sandboxJobs: SandboxJobRow[];
}

/** Where the newest workdir of a job is. */
export interface WorkdirPlace {
  /** Null before there is one. */
  host: string | null;
  /** True while a checkpoint that all hosts can read has all of it: any of them may go on with the job. */
  kept: boolean;
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
  transcriptStreamsSha256: string | null;
  metadata: Record<string, string | number | boolean>;
}
