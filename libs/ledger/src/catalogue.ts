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
  };
  /** Admitted: handed to the queue. */
  'job.queued': Record<string, never>;
  'job.started': { workerId: string };
  'job.progress': { percent: number; message?: string };
  'job.completed': { result: JsonObject };
  'job.failed': { code: string; message: string; stepId: string | null; stepKey: string | null; result: JsonObject };
  'job.cancel_requested': { reason: string };
  'job.cancelled': { reason: string };

  /** `epoch` counts the claims of the job: a phase that starts twice was taken over by the later claim. */
  'phase.started': { workerId: string; epoch: number };
  'phase.completed': { durationMs: number };
  'phase.failed': { durationMs: number; stepKey: string };
  'phase.skipped': { reason: 'EMPTY' | 'PRECEDING_FAILURE' | 'CANCELLED' };

  'step.started': { key: string; attempt: number };
  'step.progress': { percent: number; message?: string };
  'step.completed': { attempt: number; outputs: JsonObject; exitCode: number | null; durationMs: number };
  'step.failed': {
    attempt: number;
    code: string;
    message: string;
    durationMs: number;
    exitCode: number | null;
    outputs: JsonObject;
    continued: boolean;
  };
  'step.skipped': { reason: SkipReason; detail?: string };
  /** The attempt that was running is over without a result; another follows. */
  'step.retrying': { attempt: number; reason: 'INTERRUPTED' | 'FAILED'; delayMs: number };
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
  };

  'gate.started': { condition: string };
  'gate.passed': { condition: string };
  'gate.failed': { condition: string; reason: string };
  'gate.expired': { expiresAt: string };

  'approval.requested': {
    approvalId: string;
    scope: string;
    subject: JsonObject;
    minApprovals: number;
    expiresAt: string | null;
  };
  'approval.granted': { approvalId: string; comment: string | null };
  'approval.rejected': { approvalId: string; comment: string | null };

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

export type SkipReason = 'CONDITION' | 'PRECEDING_FAILURE' | 'CANCELLED' | 'REUSED';

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
