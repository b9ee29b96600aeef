import { assertNever } from '#kernel';
import type { ApprovalRule, ApprovalSubjectRule, CommandLimits, RetryRule, StepDefinition } from './definition.js';
import { APPROVAL, COMMAND_LIMITS, RETRY, TIMEOUT_SECONDS } from './definition-limits.js';
import type { ApprovalDto, ApprovalSubjectDto } from './approval.dto.js';
import type { RetryDto } from './retry.dto.js';
import type { StepDefinitionDto } from './step-definition.dto.js';

/** The accepted shape of a step that passed every check, defaults filled in. */
export function acceptStep(step: StepDefinitionDto): StepDefinition {
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
        ...((step.secrets?.length ?? 0) === 0 ? {} : { secrets: [...new Set(step.secrets)] }),
        limits: acceptLimits(step),
        network: step.network ?? 'none',
        retry: acceptRetry(step.retry),
        onInterrupt: step.onInterrupt ?? 'retry',
        action: acceptAction(step),
      };
    case 'GATE':
      return {
        ...shared,
        type: step.type,
        condition: step.condition ?? null,
        approval: acceptApproval(step.approval),
      };
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

function acceptLimits({ limits }: StepDefinitionDto): CommandLimits {
  return {
    memoryMb: limits?.memoryMb ?? COMMAND_LIMITS.memoryMb.default,
    processes: limits?.processes ?? COMMAND_LIMITS.processes.default,
    fileSizeMb: limits?.fileSizeMb ?? COMMAND_LIMITS.fileSizeMb.default,
    diskMb: limits?.diskMb ?? COMMAND_LIMITS.diskMb.default,
    outputKb: limits?.outputKb ?? COMMAND_LIMITS.outputKb.default,
  };
}

function acceptRetry(retry: RetryDto | null | undefined): RetryRule | null {
  if (retry === null || retry === undefined) return null;
  return {
    maxAttempts: retry.maxAttempts,
    backoffMs: retry.backoffMs ?? RETRY.backoffMs.default,
    factor: retry.factor ?? RETRY.factor.default,
    maxBackoffMs: retry.maxBackoffMs ?? RETRY.maxBackoffMs.default,
    jitter: retry.jitter ?? RETRY.jitter.default,
    on: retry.on === null || retry.on === undefined ? null : [...new Set(retry.on)],
  };
}

function acceptApproval(approval: ApprovalDto | null | undefined): ApprovalRule | null {
  if (approval === null || approval === undefined) return null;
  return {
    scope: approval.scope,
    minApprovals: approval.minApprovals ?? APPROVAL.minApprovals.default,
    approverRoles: [...new Set(approval.approverRoles)].sort(),
    expiresInSeconds: approval.expiresInSeconds ?? APPROVAL.expiresInSeconds.default,
    subject: acceptSubject(approval.subject),
  };
}

/** Without a subject, it is the definition of the job itself that is approved. */
function acceptSubject(subject: ApprovalSubjectDto | null | undefined): ApprovalSubjectRule {
  return {
    summary: subject?.summary ?? null,
    paths: [...(subject?.paths ?? [])],
    artifacts: (subject?.artifacts ?? []).map(({ kind, logicalKey }) => ({ kind: kind ?? 'file', logicalKey })),
    command: subject?.command ?? null,
  };
}

/** A field that the checks made sure of. */
function checked<T>(value: T | null | undefined): T {
  if (value === undefined || value === null) throw new Error('a required field passed the checks without a value');
  return value;
}
