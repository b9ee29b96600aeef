import type { Json, JsonObject } from '#kernel';

/** The phases in the order in which they run. */
export const PHASES = ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'] as const;
export type Phase = (typeof PHASES)[number];

export const STEP_TYPES = ['COMMAND', 'AI_ACTION', 'GATE', 'ARTIFACT'] as const;
export type StepType = (typeof STEP_TYPES)[number];

/** A job as it was accepted: checked, defaults filled in. Stored as it is, and hashed into the first event. */
export interface JobDefinition {
  name: string;
  kind: string;
  /** 0 (first) to 9 (last). */
  priority: number;
  env: Record<string, string>;
  /** Groups jobs and their artifacts; a UUID of the caller's. */
  projectId: string | null;
  /** Words to find the job by: unique, sorted. */
  tags: string[];
  /** Whatever the caller wants to keep with the job; top-level scalars can be searched for. */
  metadata: JsonObject;
  /** Of the whole job, from its start, without CLEANUP; null for none. */
  timeoutSeconds: number | null;
  /** RFC 3339, UTC, three decimals: not started before. */
  runAt: string | null;
  /** RFC 3339, UTC, three decimals: a job that was not started by then fails with EXPIRED. */
  expiresAt: string | null;
  concurrency: ConcurrencyRule | null;
  rateLimit: RateLimitRule | null;
  /** Whether the workdir is kept at the end of each phase, so that a retry can go on from there. */
  checkpoints: boolean;
  steps: StepDefinition[];
  /** The names of the secrets that were submitted with the job, never their values; left out where there were none. */
  secretNames?: string[];
}

/** At most `limit` jobs of the workspace with the same key run at a time. */
export interface ConcurrencyRule {
  /** May hold `${{ }}` with what is known of `job` at submission; 1 to 200 characters when filled in. */
  key: string;
  limit: number;
  /** `queue`: wait. `skip`: do not run at all. `cancel-running`: cancel those that run, then run. */
  onConflict: 'queue' | 'skip' | 'cancel-running';
}

/** At most `limit` jobs of the workspace with the same key start in any `periodSeconds`. */
export interface RateLimitRule {
  /** As the key of a concurrency rule. */
  key: string;
  limit: number;
  periodSeconds: number;
}

/** When another attempt follows an attempt that failed. */
export interface RetryRule {
  /** Attempts in all, the first included. Interrupted ones count only where `on` names INTERRUPTED. */
  maxAttempts: number;
  /** Pause before the second attempt. */
  backoffMs: number;
  /** Each further pause is so many times longer. */
  factor: number;
  maxBackoffMs: number;
  /** 0 to 1: the share of a pause by which it is made randomly longer or shorter. */
  jitter: number;
  /** Exit codes, and the reasons TIMEOUT and INTERRUPTED; null: whatever the failure. */
  on: (number | 'TIMEOUT' | 'INTERRUPTED')[] | null;
}

/** A decision that people take. */
export interface ApprovalRule {
  /** One of APPROVAL_SCOPES, or a name of one's own of the same form. */
  scope: string;
  minApprovals: number;
  /** Roles of which the approver's key must carry one; empty: anybody with the scope `approvals:write`. */
  approverRoles: string[];
  expiresInSeconds: number;
  /** What exactly is approved. */
  subject: ApprovalSubjectRule;
}

/**
 * The content that an approval is bound to, by digest: files of the workdir (globs), a step's command as it will be run, or the
 * latest version of an artifact of this job. Strings may hold `${{ }}`.
 */
export interface ApprovalSubjectRule {
  /** A sentence for the approver. */
  summary: string | null;
  paths: string[];
  artifacts: { kind: string; logicalKey: string }[];
  /** Key of a later COMMAND step of the same job. */
  command: string | null;
}

interface StepDefinitionShared {
  key: string;
  name: string;
  phase: Phase;
  /** CEL; the step is skipped when it is false. */
  when: string | null;
  /** A failure of this step does not fail the job. */
  continueOnError: boolean;
  timeoutSeconds: number;
}

/** Bounds of one command, in the units that people write. */
export interface CommandLimits {
  memoryMb: number;
  processes: number;
  fileSizeMb: number;
  /** The workdir and /tmp together. */
  diskMb: number;
  outputKb: number;
}

export interface CommandStepDefinition extends StepDefinitionShared {
  type: 'COMMAND';
  env: Record<string, string>;
  /** Secrets that the command gets as variables of these names; left out where it gets none. */
  secrets?: string[];
  limits: CommandLimits;
  network: 'none' | 'full';
  retry: RetryRule | null;
  /** What happens to the step when its worker dies, or is stopped, in the middle of it. */
  onInterrupt: 'retry' | 'fail';
  /** A shell script, or the name of a built-in action with its arguments. */
  action: { run: string } | { uses: string; with: Record<string, Json> };
}

export interface GateStepDefinition extends StepDefinitionShared {
  type: 'GATE';
  /** CEL; the step fails when it is not true. Null: there is only the approval to wait for. */
  condition: string | null;
  approval: ApprovalRule | null;
}

export interface ArtifactStepDefinition extends StepDefinitionShared {
  type: 'ARTIFACT';
  /** Globs in the workdir. */
  paths: string[];
  artifactKind: string;
  logicalKey: string | null;
  ifNoFiles: 'fail' | 'ignore';
}

export type StepDefinition = CommandStepDefinition | GateStepDefinition | ArtifactStepDefinition;
