import type { Json } from '#kernel';

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
  steps: StepDefinition[];
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
  outputKb: number;
}

export interface CommandStepDefinition extends StepDefinitionShared {
  type: 'COMMAND';
  env: Record<string, string>;
  limits: CommandLimits;
  /** A shell script, or the name of a built-in action with its arguments. */
  action: { run: string } | { uses: string; with: Record<string, Json> };
}

export interface GateStepDefinition extends StepDefinitionShared {
  type: 'GATE';
  /** CEL; the step fails when it is not true. */
  condition: string;
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
