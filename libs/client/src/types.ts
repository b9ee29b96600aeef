/** The wire shapes of the API: what `GET` answers, field by field. Times are RFC 3339 in UTC with three decimals. */

export type RunnerJobStatus = 'PENDING' | 'QUEUED' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
export type JobStepPhase = 'SETUP' | 'EXECUTION' | 'VALIDATION' | 'CLEANUP';
export type JobStepType = 'COMMAND' | 'AI_ACTION' | 'GATE' | 'ARTIFACT';
export type JobStepStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';

export interface ErrorSummary {
  code: string;
  message: string;
}

export interface RunnerJobSummary {
  id: string;
  workspaceId: string;
  kind: string;
  name: string;
  status: RunnerJobStatus;
  /** 0 (first) to 9 (last). */
  priority: number;
  progressPercent: number;
  currentPhase: JobStepPhase | null;
  error: ErrorSummary | null;
  createdBy: { type: string; id: string };
  /** Rises with every committed change; the value of the `ETag`. */
  version: number;
  createdAt: string;
  queuedAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
  updatedAt: string;
}

export interface RunnerJob extends RunnerJobSummary {
  /** The definition as it was accepted, defaults filled in. */
  definition: Record<string, unknown>;
  result: Record<string, unknown> | null;
  failedStepId: string | null;
  /** The last event of the ledger: its number and its hash. */
  head: { seq: number; hash: string };
  steps: JobStep[];
}

export interface JobStep {
  id: string;
  jobId: string;
  ordinal: number;
  key: string;
  name: string;
  phase: JobStepPhase;
  type: JobStepType;
  status: JobStepStatus;
  /** 0 before the first start. */
  attempt: number;
  outputs: Record<string, unknown> | null;
  /** Of a COMMAND's last attempt; null for other types and before it ended. */
  exitCode: number | null;
  error: ErrorSummary | null;
  skipReason: string | null;
  tokensInput: number;
  tokensOutput: number;
  durationMs: number | null;
  startedAt: string | null;
  completedAt: string | null;
}

export interface JobEvent {
  id: string;
  v: 1;
  workspaceId: string;
  jobId: string;
  seq: number;
  type: string;
  phase: JobStepPhase | null;
  stepId: string | null;
  actorType: string;
  actorId: string;
  timestamp: string;
  /** Null when it was erased; the chain verifies all the same. */
  payload: Record<string, unknown> | null;
  payloadHash: string;
  prevHash: string;
  hash: string;
}

export interface VerifyReport {
  jobId: string;
  valid: boolean;
  /** Events that were checked. */
  events: number;
  head: { seq: number; hash: string };
  /** The first event that does not fit, and why; null when all do. */
  firstBad: { seq: number; reason: string; message: string } | null;
  /** Whether folding the events gives exactly the stored job and step rows; the differing columns otherwise. */
  fold: { matches: boolean; differences: string[] };
}

export interface Artifact {
  id: string;
  jobId: string;
  stepId: string;
  kind: string;
  logicalKey: string;
  version: number;
  path: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
  createdAt: string;
}

export interface Page<Item> {
  items: Item[];
  /** Pass it as `cursor` for the next page; null on the last. */
  nextCursor: string | null;
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  instance?: string;
  errors?: { field: string; rule: string; message: string }[];
}

/** What `GET /v1/me` says about the presented key. */
export interface Identity {
  workspaceId: string;
  workspaceName: string;
  keyId: string;
  keyName: string;
  scopes: string[];
}

/** A piece of a running step's transcript, as it comes over the event stream. */
export interface OutputChunk {
  stepId: string;
  stepKey: string;
  attempt: number;
  /** Of the first byte of `text` in the transcript, in UTF-8 bytes. */
  offset: number;
  text: string;
}
