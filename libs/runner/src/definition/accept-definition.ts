import { assertNever } from '#kernel';
import type { JobDefinition, StepDefinition } from './definition.js';
import { COMMAND_LIMITS, TIMEOUT_SECONDS } from './definition-limits.js';
import type { SubmitJobDto } from './job-definition.dto.js';
import type { StepDefinitionDto } from './step-definition.dto.js';

/** The accepted shape of a definition that passed every check, defaults filled in. */
export function acceptDefinition(job: SubmitJobDto): JobDefinition {
  return {
    name: job.name,
    kind: job.kind ?? 'PIPELINE',
    priority: job.priority ?? 5,
    env: { ...job.env },
    steps: job.steps.map(acceptStep),
  };
}

function acceptStep(step: StepDefinitionDto): StepDefinition {
  const shared = {
    key: step.key,
    name: step.name ?? step.key,
    phase: step.phase ?? 'EXECUTION',
    when: step.when ?? null,
    continueOnError: step.continueOnError ?? false,
    timeoutSeconds: step.timeoutSeconds ?? TIMEOUT_SECONDS.default,
  };
  switch (step.type) {
    case 'COMMAND':
      return {
        ...shared,
        type: step.type,
        env: { ...step.env },
        limits: acceptLimits(step),
        action: acceptAction(step),
      };
    case 'GATE':
      return { ...shared, type: step.type, condition: checked(step.condition) };
    case 'ARTIFACT':
      return {
        ...shared,
        type: step.type,
        paths: [...checked(step.paths)],
        artifactKind: step.artifactKind ?? 'file',
        logicalKey: step.logicalKey ?? null,
        ifNoFiles: step.ifNoFiles ?? 'fail',
      };
    case 'AI_ACTION':
      throw new Error('an AI_ACTION step passed the checks');
    default:
      return assertNever(step.type);
  }
}

function acceptAction(
  step: StepDefinitionDto,
): { run: string } | { uses: string; with: NonNullable<StepDefinitionDto['with']> } {
  const { run, uses } = step;
  return typeof run === 'string' ? { run } : { uses: checked(uses), with: { ...step.with } };
}

function acceptLimits({ limits }: StepDefinitionDto): {
  memoryMb: number;
  processes: number;
  fileSizeMb: number;
  outputKb: number;
} {
  return {
    memoryMb: limits?.memoryMb ?? COMMAND_LIMITS.memoryMb.default,
    processes: limits?.processes ?? COMMAND_LIMITS.processes.default,
    fileSizeMb: limits?.fileSizeMb ?? COMMAND_LIMITS.fileSizeMb.default,
    outputKb: limits?.outputKb ?? COMMAND_LIMITS.outputKb.default,
  };
}

/** A field that the checks made sure of. */
function checked<T>(value: T | null | undefined): T {
  if (value === undefined || value === null) throw new Error('a required field passed the checks without a value');
  return value;
}
