import type { JsonSchema } from './json-schema.js';

const between = (minimum: number, maximum: number, description: string, preset?: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
  ...(preset === undefined ? {} : { default: preset }),
  description,
});

const ruleKey: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 1000,
  description: 'May hold `${{ expressions }}` over `job`; filled in, it has 1 to 200 characters.',
  examples: ['deploy-${{ job.projectId }}'],
};

const object = (description: string, required: string[], properties: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  description,
  properties,
  required,
  additionalProperties: false,
});

/** What a job may ask for beside its steps. */
export const jobOptions: Record<string, JsonSchema> = {
  projectId: { type: 'string', format: 'uuid', description: 'Groups jobs and their artifacts; an id of your own.' },
  tags: {
    type: 'array',
    maxItems: 20,
    items: { type: 'string', minLength: 1, maxLength: 64 },
    description: 'Words to find the job by. Doubles are dropped, the rest is sorted.',
  },
  metadata: {
    type: 'object',
    additionalProperties: true,
    description:
      'Kept with the job: 16 KiB of JSON at most. Texts, numbers, true and false at its top can be searched for.',
  },
  timeoutSeconds: between(1, 2_592_000, 'For the whole job, from its start, without CLEANUP; no limit by default.'),
  runAt: { type: 'string', format: 'date-time', description: 'Not started before; with an offset, within a year.' },
  expiresAt: {
    type: 'string',
    format: 'date-time',
    description: 'A job that was not started by then fails with EXPIRED. In the future, and after `runAt`.',
  },
  concurrency: { $ref: '#/components/schemas/Concurrency' },
  rateLimit: { $ref: '#/components/schemas/RateLimit' },
  checkpoints: {
    type: 'boolean',
    default: true,
    description: 'Keep the workdir at the end of each phase, so that a retry can go on from there.',
  },
};

/** What a COMMAND may ask for beside its limits. */
export const commandRules: Record<string, JsonSchema> = {
  network: {
    type: 'string',
    enum: ['none', 'full'],
    default: 'none',
    description: '`full` only where the workspace allows it.',
  },
  retry: {
    description: 'When another attempt follows one that failed; a number stands for `maxAttempts`. None by default.',
    anyOf: [{ $ref: '#/components/schemas/Retry' }, { type: 'integer', minimum: 2, maximum: 100 }],
  },
  onInterrupt: {
    type: 'string',
    enum: ['retry', 'fail'],
    default: 'retry',
    description: 'What happens to the step when its worker dies, or is stopped, in the middle of it.',
  },
};

export const jobRuleSchemas: Record<string, JsonSchema> = {
  Concurrency: object('How many jobs of the workspace with the same key run at a time.', ['key'], {
    key: ruleKey,
    limit: between(1, 10_000, 'So many.', 1),
    onConflict: {
      type: 'string',
      enum: ['queue', 'skip', 'cancel-running'],
      default: 'queue',
      description: 'What a job does that finds the key taken: wait, not run at all, or have those cancelled that run.',
    },
  }),
  RateLimit: object(
    'How many jobs of the workspace with the same key start in any period.',
    ['key', 'limit', 'periodSeconds'],
    {
      key: ruleKey,
      limit: between(1, 10_000, 'So many.'),
      periodSeconds: between(1, 86_400, 'The length of the period.'),
    },
  ),
  Retry: object('When another attempt follows an attempt that failed.', ['maxAttempts'], {
    maxAttempts: between(2, 100, 'Attempts in all, the first included.'),
    backoffMs: between(0, 86_400_000, 'Pause before the second attempt.', 1000),
    factor: {
      type: 'number',
      minimum: 1,
      maximum: 10,
      default: 2,
      description: 'Each further pause is so many times longer.',
    },
    maxBackoffMs: between(0, 86_400_000, 'The longest pause.', 300_000),
    jitter: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'The share of a pause by which it is made randomly longer or shorter.',
    },
    on: {
      type: 'array',
      minItems: 1,
      items: {
        anyOf: [
          { type: 'integer', minimum: 1, maximum: 255 },
          { type: 'string', enum: ['TIMEOUT', 'INTERRUPTED'] },
        ],
      },
      description: 'Exit codes, and reasons that have none. Whatever the failure, by default.',
    },
  }),
  ApprovalRule: object('The step waits until people have approved. No worker is held in the meantime.', ['scope'], {
    scope: {
      type: 'string',
      pattern: '^[a-z][a-z0-9_-]*(\\.[a-z][a-z0-9_-]*)+$',
      maxLength: 64,
      description:
        'What is approved: `repo.push`, `repo.merge`, `infra.provision`, `infra.delete`, `repo.delete`, `deploy.production`, or a name of your own of this form.',
    },
    minApprovals: between(1, 10, 'So many people have to approve.', 1),
    approverRoles: {
      type: 'array',
      maxItems: 20,
      items: { type: 'string', pattern: '^[a-z][a-z0-9_.-]{0,63}$' },
      description: "Roles of which the approver's key carries at least one. Any key that may approve, by default.",
    },
    expiresInSeconds: between(1, 2_592_000, 'The step fails when nobody has decided by then.', 604_800),
    subject: { $ref: '#/components/schemas/ApprovalSubjectRule' },
  }),
  ApprovalSubjectRule: object(
    'What exactly is approved, by digest: at least one of these. Left out, it is the definition of the job.',
    [],
    {
      summary: { type: 'string', minLength: 1, maxLength: 1000, description: 'A sentence for the approver.' },
      paths: {
        type: 'array',
        maxItems: 100,
        items: { type: 'string', minLength: 1 },
        description: 'Files: globs in the workdir.',
      },
      artifacts: {
        type: 'array',
        maxItems: 100,
        description: 'The latest versions of artifacts of this job.',
        items: object('One artifact.', ['logicalKey'], {
          kind: { type: 'string', default: 'file', description: 'As the ARTIFACT step has it.' },
          logicalKey: { type: 'string', minLength: 1, maxLength: 200, description: 'Its key.' },
        }),
      },
      command: {
        type: 'string',
        description: 'The key of a later COMMAND step with `run`: its script as it will run.',
      },
    },
  ),
};
