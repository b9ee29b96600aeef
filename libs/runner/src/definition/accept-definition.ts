import { canonicalTime } from '#kernel';
import { acceptStep } from './accept-step.js';
import type { ConcurrencyRule, JobDefinition, RateLimitRule } from './definition.js';
import { CONCURRENCY_LIMIT } from './definition-limits.js';
import type { SubmitJobDto } from './job-definition.dto.js';
import type { ConcurrencyDto, RateLimitDto } from './job-rules.dto.js';

/** The accepted shape of a definition that passed every check, defaults filled in. */
export function acceptDefinition(job: SubmitJobDto): JobDefinition {
  return {
    name: job.name,
    kind: job.kind ?? 'PIPELINE',
    priority: job.priority ?? 5,
    env: { ...job.env },
    projectId: job.projectId?.toLowerCase() ?? null,
    tags: [...new Set(job.tags)].sort(),
    metadata: { ...job.metadata },
    timeoutSeconds: job.timeoutSeconds ?? null,
    runAt: acceptTime(job.runAt),
    expiresAt: acceptTime(job.expiresAt),
    concurrency: acceptConcurrency(job.concurrency),
    rateLimit: acceptRateLimit(job.rateLimit),
    checkpoints: job.checkpoints ?? true,
    steps: job.steps.map(acceptStep),
  };
}

function acceptTime(time: string | null | undefined): string | null {
  return typeof time === 'string' ? canonicalTime(time) : null;
}

function acceptConcurrency(rule: ConcurrencyDto | null | undefined): ConcurrencyRule | null {
  if (rule === null || rule === undefined) return null;
  const { key, limit, onConflict } = rule;
  return { key, limit: limit ?? CONCURRENCY_LIMIT.default, onConflict: onConflict ?? 'queue' };
}

function acceptRateLimit(rule: RateLimitDto | null | undefined): RateLimitRule | null {
  if (rule === null || rule === undefined) return null;
  return { key: rule.key, limit: rule.limit, periodSeconds: rule.periodSeconds };
}
