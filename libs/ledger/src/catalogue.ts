import type { Json, JsonObject } from '#kernel';

/**
 * Every kind of fact that a job's ledger can hold, with the shape of its payload. A type that is not here does not compile.
 * Payloads are plain JSON. What a payload says is what replaying needs: job and step rows are a fold of these.
 */
export interface EventPayloads {
  'job.created': {
    kind: string;
    name: string;
    priority: number;
    definition: JsonObject;
    steps: {
      id: string;
      key: string;
      name: string;
      phase: string;
      type: string;
      ordinal: number;
      config: JsonObject;
    }[];
    /** What was not given is left out. Keys are filled in: they are what admission compares. */
    projectId?: string;
    tags?: string[];
    metadata?: JsonObject;
    runAt?: string;
    expiresAt?: string;
    concurrency?: { key: string; limit: number; onConflict: string };
    rateLimit?: { key: string; limit: number; periodSeconds: number };
    /** The job of which this is a retry, and the first step that was asked to run again. */
    retryOf?: { jobId: string; from: string };
    /** The schedule that made the job, and for which of its times. */
    schedule?: { scheduleId: string; scheduledFor: string };
  };
  /** Admitted: handed to the queue. */
  'job.queued': Record<string, never>;
  'job.started': { workerId: string };
  'job.progress': { percent: number; message?: string };
  'job.completed': { result: JsonObject };
  'job.failed': { code: string; message: string; stepId: string | null; stepKey: string | null; result: JsonObject };
  'job.cancel_requested': { reason: string | null };
  /** The receipt of a cancellation: who asked for it when, and what was stopped how. */
  'job.cancelled': {
    reason: string | null;
    requestedAt: string;
    requestedBy: { type: string; id: string };
    /** Commands that were running when it was asked for. `endedAt` is when the last process of each was gone. */
    stopped: { stepKey: string; attempt: number; signals: string[]; endedAt: string | null }[];
    lastProcessExitAt: string | null;
    result: JsonObject;
  };

  /** `epoch` counts the claims of the job: a phase that starts twice was taken over by the later claim. */
  'phase.started': { workerId: string; epoch: number };
  'phase.completed': { durationMs: number };
  'phase.failed': { durationMs: number; stepKey: string };
  'phase.skipped': { reason: 'EMPTY' | 'PRECEDING_FAILURE' | 'CANCELLED' | 'TIMEOUT' | 'EXPIRED' };

  /** What the workdir held at the end of a phase is kept as `ref`. */
  'checkpoint.created': CheckpointFacts & {
    ref: string;
    sha256: string;
    /** What could not be kept, because it is no file, folder or link, or cannot be read; at most 20 of them. */
    skipped?: string[];
  };
  /** The workdir of this phase was not kept, and why. */
  'checkpoint.skipped': { phase: string; reason: 'TOO_LARGE' | 'CHANGED' | 'MISSING' | 'STORAGE'; message: string };
  /** The workdir is again as the checkpoint of that job and phase has it. Without `ref` it is empty. */
  'checkpoint.restored': CheckpointFacts & {
    jobId: string;
    ref: string | null;
    sha256: string | null;
    /** In a retry: the first command that runs again, with this workdir. */
    runFrom?: string;
  };

  /** `notReused`: why a step that a retry could have taken over from the earlier job runs again. */
  'step.started': { key: string; attempt: number; notReused?: string };
  'step.progress': { percent: number; message?: string };
  'step.completed': {
    attempt: number;
    outputs: JsonObject;
    exitCode: number | null;
    durationMs: number;
    /** Digest of what the step was given: script, environment and arguments as they were run. */
    inputsHash?: string;
  };
  'step.failed': {
    attempt: number;
    code: string;
    message: string;
    durationMs: number;
    exitCode: number | null;
    outputs: JsonObject;
    continued: boolean;
  };
  /** With reason REUSED: what the earlier job's step had put out, and which step that was. */
  'step.skipped': {
    reason: SkipReason;
    detail?: string;
    outputs?: JsonObject;
    /** The step that did the work: of the earlier job, or of one before it when that had reused it too. */
    reusedFrom?: { jobId: string; stepId: string };
    inputsHash?: string;
  };
  /** The attempt that was running is over without a result; another follows, not before `retryAt`. */
  'step.retrying': {
    attempt: number;
    reason: 'INTERRUPTED' | 'FAILED';
    delayMs: number;
    /** Left out where the next attempt may follow at once. */
    retryAt?: string;
    /** Why the attempt failed. */
    code?: string;
    message?: string;
    exitCode?: number | null;
  };
  /** Where the transcript of an attempt is, and what it was: never its bytes. */
  'step.output': {
    attempt: number;
    sandboxJobId: string;
    ref: string;
    bytes: number;
    storedBytes: number;
    sha256: string;
    truncated: boolean;
    exitCode: number | null;
    signal: string | null;
    /** Where the index is that tells standard output and error apart, and its digest; left out where all is standard output. */
    streamsRef?: string;
    streamsSha256?: string;
    /** Signals that the runner sent, in order; left out where there were none. */
    signalsSent?: string[];
    /** When the last process of the command was gone. */
    endedAt?: string;
    /** The isolation and limits that were in force, and by which means. */
    isolation?: JsonObject;
  };

  'gate.started': { condition: string | null };
  'gate.passed': { condition: string | null };
  'gate.failed': { condition: string | null; reason: string };
  'gate.expired': { expiresAt: string };

  'approval.requested': {
    approvalId: string;
    scope: string;
    /** What exactly is to be approved, by digest; `subject.digest` stands for all of it. */
    subject: JsonObject;
    minApprovals: number;
    approverRoles: string[];
    expiresAt: string;
    /** The request that has become void because the content has changed since. */
    replaces?: string;
  };
  /** One decision. With it, `grants` of `minApprovals` have been given. */
  'approval.granted': ApprovalDecided;
  'approval.rejected': ApprovalDecided;

  'ai.tool_called': { tool: string; argumentsDigest: string };
  'ai.tokens_used': { model: string; tokensInput: number; tokensOutput: number };
  'ai.budget_exceeded': { limit: number; used: number };

  'artifact.created': {
    artifactId: string;
    kind: string;
    logicalKey: string;
    version: number;
    path: string;
    mediaType: string;
    sizeBytes: number;
    sha256: string;
  };

  'credits.held': { transactionId: string; credits: number };
  'credits.captured': { transactionId: string; credits: number };
  'credits.released': { transactionId: string; credits: number };
}

/** What a workdir held. */
export interface CheckpointFacts {
  phase: string;
  /** Digest over paths, types, permissions, contents and links. */
  treeHash: string;
  /** Of the archive. */
  sizeBytes: number;
  /** Files, folders and links in it. */
  files: number;
}

/** Who decided is the actor of the event; its name is the one it had at that time. */
export interface ApprovalDecided {
  approvalId: string;
  comment: string | null;
  actorName: string;
  subjectDigest: string;
  grants: number;
  minApprovals: number;
}

export type SkipReason = 'CONDITION' | 'PRECEDING_FAILURE' | 'CANCELLED' | 'TIMEOUT' | 'EXPIRED' | 'REUSED';

export type EventType = keyof EventPayloads;

/** Who caused a fact: a person's or script's key, a worker process, or the system itself. */
export interface Actor {
  type: 'api_key' | 'user' | 'worker' | 'system';
  id: string;
}

/** A fact about to be appended: not yet numbered, hashed or stored. */
export type NewEvent = {
  [Type in EventType]: {
    type: Type;
    phase: string | null;
    stepId: string | null;
    actor: Actor;
    /** RFC 3339, UTC, three decimals, `Z`. */
    timestamp: string;
    payload: EventPayloads[Type];
  };
}[EventType];

/** A fact as it is stored and as the API returns it. `payload` is null after it was erased. */
export interface LedgerEvent {
  id: string;
  v: 1;
  workspaceId: string;
  jobId: string;
  seq: number;
  type: string;
  phase: string | null;
  stepId: string | null;
  actorType: string;
  actorId: string;
  timestamp: string;
  payload: { [key: string]: Json } | null;
  payloadHash: string;
  prevHash: string;
  hash: string;
}

/** The end of a job's chain: how many events, and the hash of the last. */
export interface ChainHead {
  seq: number;
  hash: string;
}
