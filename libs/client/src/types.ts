/** The wire shapes of the API: what `GET` answers, field by field. Times are RFC 3339 in UTC with three decimals. */

export type RunnerJobStatus = 'PENDING' | 'QUEUED' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
export type JobStepPhase = 'SETUP' | 'EXECUTION' | 'VALIDATION' | 'CLEANUP';
export type JobStepType = 'COMMAND' | 'AI_ACTION' | 'GATE' | 'ARTIFACT';
export type JobStepStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';

export interface ErrorSummary {
  code: string;
  message: string;
}

export interface WaitingFor {
  reason: 'RUN_AT' | 'CONCURRENCY' | 'RATE_LIMIT' | 'APPROVAL' | 'RETRY';
  /** When it is over at the latest; null where there is no such time. */
  until: string | null;
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
  /** What a command said last of how far it is. */
  progressMessage: string | null;
  currentPhase: JobStepPhase | null;
  error: ErrorSummary | null;
  /** What keeps the job from going on, as far as that is known; null while nothing does. */
  waitingFor: WaitingFor | null;
  projectId: string | null;
  tags: string[];
  metadata: Record<string, unknown>;
  runAt: string | null;
  expiresAt: string | null;
  /** With its key filled in. */
  concurrency: { key: string; limit: number; onConflict: string } | null;
  /** With its key filled in. */
  rateLimit: { key: string; limit: number; periodSeconds: number } | null;
  /** The job of which this is a retry. */
  retryOf: string | null;
  scheduleId: string | null;
  cancelRequestedAt: string | null;
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
  /** How many of the attempts ended because their worker did. */
  interruptions: number;
  /** The next attempt does not start before; null when none is waited for. */
  retryAt: string | null;
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
  /** The project of the job; null for none. */
  projectId: string | null;
  kind: string;
  logicalKey: string;
  /** 1, 2, 3 ... per (workspace, project or none, kind, logicalKey). */
  version: number;
  path: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
  createdAt: string;
}

export type ApprovalStatus = 'PENDING' | 'GRANTED' | 'REJECTED' | 'EXPIRED' | 'VOID' | 'CANCELLED';

/** What is approved, by digest; parts that a request is not about are null. */
export interface ApprovalSubject {
  summary: string | null;
  /** Stands for all of it. */
  digest: string;
  files: {
    count: number;
    sizeBytes: number;
    sha256: string;
    listed: { path: string; sha256: string; sizeBytes: number }[];
  } | null;
  artifacts: {
    count: number;
    sha256: string;
    listed: {
      artifactId: string;
      kind: string;
      logicalKey: string;
      version: number;
      sha256: string;
      sizeBytes: number;
    }[];
  } | null;
  command: { stepKey: string; sha256: string; run: string; values: { expression: string; value: string }[] } | null;
  definition: { sha256: string } | null;
}

/** A request for a decision that people take. */
export interface Approval {
  id: string;
  workspaceId: string;
  jobId: string;
  jobName: string;
  stepId: string;
  stepKey: string;
  scope: string;
  status: ApprovalStatus;
  subject: ApprovalSubject;
  minApprovals: number;
  /** Roles of which the approver's key must carry one; empty: any key with the scope `approvals:write`. */
  approverRoles: string[];
  /** How many have granted it. */
  grants: number;
  /** Who submitted the job. */
  requestedBy: { type: string; id: string; name: string | null };
  requestedAt: string;
  expiresAt: string;
  decidedAt: string | null;
  /** The request that became void because the content had changed. */
  replacesId: string | null;
}

export interface ApprovalDetail extends Approval {
  decisions: {
    decision: 'grant' | 'reject';
    comment: string | null;
    actor: { type: string; id: string; name: string };
    subjectDigest: string;
    decidedAt: string;
  }[];
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
  /** With `CONFLICT`: the state of what the request was about. */
  state?: string;
}

/** What `GET /v1/me` says about the presented key. */
export interface Identity {
  workspaceId: string;
  workspaceName: string;
  keyId: string;
  keyName: string;
  scopes: string[];
  /** Which roles of approvals the key carries. */
  roles: string[];
}

/** A workspace and what is decided for all of its jobs. */
export interface Workspace {
  id: string;
  name: string;
  /** Jobs that run at a time; null for no limit of its own. */
  maxRunningJobs: number | null;
  /** Whether the key that submitted a job may not decide about its approvals. */
  requireFourEyes: boolean;
  /** Whether steps may ask for the network. */
  allowNetwork: boolean;
  /** Rises with every change; the value of the `ETag`. */
  version: number;
  createdAt: string;
  updatedAt: string;
}

/** What is to be changed; what is left out stays. */
export type WorkspaceChange = Partial<Pick<Workspace, 'maxRunningJobs' | 'requireFourEyes' | 'allowNetwork'>>;

/** A piece of a running step's transcript, as it comes over the event stream. */
export interface OutputChunk {
  stepId: string;
  stepKey: string;
  attempt: number;
  /** Who wrote it. `runner`: the line that says how much is missing between the head and the tail. */
  stream: TranscriptStream;
  /** Of the first byte of `text` in the transcript, in UTF-8 bytes. */
  offset: number;
  text: string;
}

export type TranscriptStream = 'stdout' | 'stderr' | 'runner';

/** A piece of a step's transcript that one stream wrote. */
export interface TranscriptPiece {
  stream: TranscriptStream;
  /** Of the first byte of `text` in the transcript, in UTF-8 bytes. */
  offset: number;
  text: string;
}

/** What a schedule says. The job is a job definition; defaults are filled in by the server. */
export interface ScheduleSpec {
  name: string;
  cron: string;
  timeZone?: string;
  overlap?: 'skip' | 'queue' | 'cancel-previous';
  catchUp?: 'none' | 'latest' | 'all';
  paused?: boolean;
  job: unknown;
}

export interface Schedule {
  id: string;
  workspaceId: string;
  name: string;
  cron: string;
  timeZone: string;
  overlap: 'skip' | 'queue' | 'cancel-previous';
  catchUp: 'none' | 'latest' | 'all';
  paused: boolean;
  job: Record<string, unknown>;
  /** Null while it is paused, and when no time is left. */
  nextRunAt: string | null;
  lastRunAt: string | null;
  lastJobId: string | null;
  lastOutcome: 'SUBMITTED' | 'SKIPPED_OVERLAP' | 'SKIPPED_BACKLOG' | 'REFUSED' | null;
  createdBy: { type: string; id: string };
  /** Who last said what it runs. */
  updatedBy: { type: string; id: string };
  version: number;
  createdAt: string;
  updatedAt: string;
}
