/** The bounds of a job definition, in one place for validation, OpenAPI and messages. Lengths are in characters. */
export const DEFINITION_LIMITS = {
  nameLength: 200,
  steps: 500,
  envEntries: 100,
  envValueBytes: 32 * 1024,
  runLength: 256 * 1024,
  expressionLength: 4096,
  paths: 100,
  pathLength: 1024,
  logicalKeyLength: 200,
  jsonBytes: 1024 * 1024,
  depth: 32,
  expressionsPerStep: 100,
  reportedErrors: 100,
  tags: 20,
  metadataBytes: 16 * 1024,
  metadataDepth: 8,
  /** Of the key of a concurrency or rate limit rule, as it is written and when it is filled in. */
  keyTemplateLength: 1000,
  keyLength: 200,
  /** How far ahead `runAt` may be. */
  runAtDays: 366,
  exitCodes: 255,
  approverRoles: 20,
  summaryLength: 1000,
  subjectArtifacts: 100,
} as const;

/** Smallest, largest and default value of each bound that a COMMAND step may set. */
export const COMMAND_LIMITS = {
  memoryMb: { min: 16, max: 65_536, default: 2048 },
  processes: { min: 1, max: 4096, default: 256 },
  fileSizeMb: { min: 1, max: 65_536, default: 1024 },
  diskMb: { min: 1, max: 1_048_576, default: 4096 },
  outputKb: { min: 1, max: 65_536, default: 1024 },
} as const;

/** The bounds of a submission's secrets. `shortest` is in characters, without white space around them. */
export const SECRET_LIMITS = { entries: 50, shortest: 8, bytes: 32 * 1024 } as const;

export const TIMEOUT_SECONDS = { min: 1, max: 86_400, default: 3600 } as const;

/** Of the whole job. */
export const JOB_TIMEOUT_SECONDS = { min: 1, max: 2_592_000 } as const;

export const CONCURRENCY_LIMIT = { min: 1, max: 10_000, default: 1 } as const;
export const RATE_LIMIT = { min: 1, max: 10_000 } as const;
export const RATE_PERIOD_SECONDS = { min: 1, max: 86_400 } as const;

export const RETRY = {
  maxAttempts: { min: 2, max: 100 },
  backoffMs: { min: 0, max: 86_400_000, default: 1000 },
  factor: { min: 1, max: 10, default: 2 },
  maxBackoffMs: { min: 0, max: 86_400_000, default: 300_000 },
  jitter: { min: 0, max: 1, default: 0 },
} as const;

export const APPROVAL = {
  minApprovals: { min: 1, max: 10, default: 1 },
  expiresInSeconds: { min: 1, max: 2_592_000, default: 604_800 },
} as const;

/** The scopes that have a meaning of their own; others may be named in the same form. */
export const APPROVAL_SCOPES = [
  'repo.push',
  'repo.merge',
  'infra.provision',
  'infra.delete',
  'repo.delete',
  'deploy.production',
] as const;
export const APPROVAL_SCOPE_PATTERN = /^(?=.{3,64}$)[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)+$/;
export const ROLE_PATTERN = /^[a-z][a-z0-9_.-]{0,63}$/;

/** Letters and digits of any script, then also . _ : / @ + = and -; 1 to 64 characters. */
export const TAG_PATTERN = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._:/@+=-]{0,63}$/u;
export const STEP_KEY_PATTERN = /^[a-z][a-z0-9_-]{0,63}$/;
export const ENV_NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const ARTIFACT_KIND_PATTERN = /^[a-z][a-z0-9_.-]{0,63}$/;
