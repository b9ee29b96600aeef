import { WAIT_REASONS } from '#runner';
import { anyObject, count, id, nullable, record, ref, sha256, text, time, type JsonSchema } from './json-schema.js';

const PHASES = ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'];
const STEP_TYPES = ['COMMAND', 'AI_ACTION', 'GATE', 'ARTIFACT'];
export const JOB_STATUSES = ['PENDING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'];
const STEP_STATUSES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED'];

const phase: JsonSchema = {
  type: 'string',
  enum: PHASES,
  description: 'The phase, in the order SETUP, EXECUTION, VALIDATION, CLEANUP.',
};

const errorSummary = record('Why it failed.', {
  code: text('A stable code.'),
  message: text('A sentence for a person.'),
});

const jobSummary: Record<string, JsonSchema> = {
  id: id('UUID v7: sorts by creation.'),
  workspaceId: id('The workspace that owns the job.'),
  kind: text('PIPELINE: steps that a user defined.'),
  name: text('As submitted.'),
  status: { type: 'string', enum: JOB_STATUSES, description: 'COMPLETED, FAILED and CANCELLED are final.' },
  priority: { type: 'integer', minimum: 0, maximum: 9, description: '0 is taken first.' },
  progressPercent: {
    type: 'integer',
    minimum: 0,
    maximum: 100,
    description: 'The share of steps that are over; 100 only for a job that is.',
  },
  progressMessage: nullable(text('What a command said last of how far it is.')),
  currentPhase: nullable(phase),
  error: nullable(ref('ErrorSummary')),
  waitingFor: nullable(ref('WaitingFor')),
  projectId: nullable(id('The project, as submitted.')),
  tags: { type: 'array', items: { type: 'string' }, description: 'As submitted, without doubles, sorted.' },
  metadata: anyObject('As submitted.'),
  runAt: nullable(time('It does not start before.')),
  expiresAt: nullable(time('It fails with EXPIRED when it was not started by then.')),
  concurrency: nullable(ref('JobConcurrency')),
  rateLimit: nullable(ref('JobRateLimit')),
  retryOf: nullable(id('The job of which this is a retry.')),
  scheduleId: nullable(id('The schedule that made it.')),
  cancelRequestedAt: nullable(time('When somebody first asked for its cancellation.')),
  createdBy: record('Who submitted it.', { type: text('`api_key`, `user` or `system`.'), id: text('Its id.') }),
  version: { type: 'integer', minimum: 1, description: 'Rises with every change; the value of the ETag.' },
  createdAt: time('When it was accepted.'),
  queuedAt: nullable(time('When it was admitted.')),
  startedAt: nullable(time('When a worker first claimed it.')),
  completedAt: nullable(time('When it became COMPLETED, FAILED or CANCELLED.')),
  updatedAt: time('When its last event happened.'),
};

export const jobSchemas: Record<string, JsonSchema> = {
  RetryJob: {
    type: 'object',
    description: 'Where a retry is to begin.',
    additionalProperties: false,
    properties: {
      from: {
        type: ['string', 'null'],
        minLength: 1,
        maxLength: 200,
        default: 'failed-step',
        description:
          '`failed-step`: the first step that has not done its work. `start`: everything again, in an empty workdir. Otherwise the key of the first step that is to run again.',
      },
    },
  },
  CancelJob: {
    type: 'object',
    description: 'Why a job is to be cancelled.',
    properties: { reason: { type: 'string', minLength: 1, maxLength: 1_000, description: 'Kept in the ledger.' } },
    additionalProperties: false,
  },
  ErrorSummary: errorSummary,
  WaitingFor: record('What keeps a job from going on, as far as that is known.', {
    reason: { type: 'string', enum: WAIT_REASONS, description: 'What it waits for.' },
    until: nullable(time('When that is over at the latest; null where there is no such time.')),
  }),
  JobConcurrency: record('How many jobs with the same key run at a time.', {
    key: text('Filled in.'),
    limit: { type: 'integer', minimum: 1, description: 'So many.' },
    onConflict: { type: 'string', enum: ['queue', 'skip', 'cancel-running'], description: 'What the others do.' },
  }),
  JobRateLimit: record('How many jobs with the same key start in a period.', {
    key: text('Filled in.'),
    limit: { type: 'integer', minimum: 1, description: 'So many.' },
    periodSeconds: { type: 'integer', minimum: 1, description: 'The length of the period.' },
  }),
  RunnerJobSummary: record('One run, without its steps.', jobSummary),
  RunnerJob: record('One run with its steps.', {
    ...jobSummary,
    definition: anyObject('The definition as it was accepted, defaults filled in.'),
    result: nullable(anyObject('What the job ended with.')),
    failedStepId: nullable(id('The step that is the first cause of the failure.')),
    head: record('The end of the ledger: note it to prove later that nothing was cut off.', {
      seq: count('Number of the last event.'),
      hash: sha256('Its hash.'),
    }),
    steps: { type: 'array', items: ref('JobStep'), description: 'In the order in which they run.' },
  }),
  JobStep: record('One step of a job.', {
    id: id('UUID v7.'),
    jobId: id('The job.'),
    ordinal: count('Position in the order of execution.'),
    key: {
      type: 'string',
      pattern: '^[a-z][a-z0-9_-]{0,63}$',
      description: 'Unique in the job; how expressions name the step.',
    },
    name: text('As submitted; the key by default.'),
    phase,
    type: { type: 'string', enum: STEP_TYPES, description: 'Who executes it.' },
    status: { type: 'string', enum: STEP_STATUSES, description: 'COMPLETED, FAILED and SKIPPED are final.' },
    attempt: count('0 before the first start.'),
    interruptions: count('How many of the attempts ended because their worker did.'),
    retryAt: nullable(time('The next attempt does not start before; null when none is waited for.')),
    outputs: nullable(anyObject('What the step said for later steps.')),
    exitCode: nullable({ type: 'integer', description: "Of a COMMAND's last attempt." }),
    error: nullable(ref('ErrorSummary')),
    skipReason: nullable(text('Why it was SKIPPED.')),
    tokensInput: count('Model tokens read.'),
    tokensOutput: count('Model tokens written.'),
    durationMs: nullable(count('Milliseconds.')),
    startedAt: nullable(time('When the first attempt started.')),
    completedAt: nullable(time('When it became final.')),
  }),
};
