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
} as const;

/** Smallest, largest and default value of each bound that a COMMAND step may set. */
export const COMMAND_LIMITS = {
  memoryMb: { min: 16, max: 65_536, default: 2048 },
  processes: { min: 1, max: 4096, default: 256 },
  fileSizeMb: { min: 1, max: 65_536, default: 1024 },
  outputKb: { min: 1, max: 65_536, default: 1024 },
} as const;

export const TIMEOUT_SECONDS = { min: 1, max: 86_400, default: 3600 } as const;

export const STEP_KEY_PATTERN = /^[a-z][a-z0-9_-]{0,63}$/;
export const ENV_NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const ARTIFACT_KIND_PATTERN = /^[a-z][a-z0-9_.-]{0,63}$/;
