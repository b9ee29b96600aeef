import { MAX_BATCH_JOBS } from '#runner';
import {
  EXAMPLE_ARTIFACT_DEFINITION,
  EXAMPLE_BATCH,
  EXAMPLE_DEFINITION,
  EXAMPLE_JOB,
  EXAMPLE_JOB_PAGE,
  EXAMPLE_NEW_JOB,
  EXAMPLE_STEPS,
  EXAMPLE_SUBMITTED_BATCH,
  EXAMPLE_YAML,
} from '../openapi/examples.js';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';
import { JOB_STATUSES } from '../openapi/schemas/jobs.js';
import { ref } from '../openapi/schemas/json-schema.js';

const ETAG = { ETag: 'The version of the job.' };

export const SUBMIT_JOB: OperationSpec = {
  id: 'submitRunnerJob',
  tag: 'jobs',
  summary: 'Submit a job',
  description:
    'Checks the definition, stores the job with its first event and answers. Workers take it from there; when the queue is away at this moment the job waits and nothing is lost. Unknown fields, double keys and expressions that do not parse are refused here, all at once.',
  path: ['workspaceId'],
  body: {
    description: 'What to run, as JSON or YAML.',
    content: {
      'application/json': {
        schema: ref('JobDefinition'),
        examples: {
          hello: { summary: 'A command and a gate on its output', value: EXAMPLE_DEFINITION },
          report: { summary: 'A file that is kept, and a cleanup', value: EXAMPLE_ARTIFACT_DEFINITION },
        },
      },
      'application/yaml': {
        schema: { type: 'string' },
        examples: { hello: { summary: 'The same in YAML', value: EXAMPLE_YAML } },
      },
    },
  },
  responses: {
    201: json('RunnerJob', 'The job, accepted.', EXAMPLE_NEW_JOB, { Location: 'Where the job is.', ...ETAG }),
  },
  errors: ['MALFORMED_BODY', 'NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED'],
};

export const SUBMIT_BATCH: OperationSpec = {
  id: 'submitRunnerJobBatch',
  tag: 'jobs',
  summary: 'Submit many jobs at once',
  description: `Up to ${MAX_BATCH_JOBS} definitions, all or nothing: when one of them breaks a rule, none is accepted, and \`errors\` names the rules by place, such as \`jobs[17].steps[0].run\`. The body may have 8 MiB.`,
  path: ['workspaceId'],
  body: {
    description: 'What to run, as JSON or YAML.',
    content: {
      'application/json': {
        schema: ref('JobBatch'),
        examples: { two: { summary: 'The same job twice', value: EXAMPLE_BATCH } },
      },
    },
  },
  responses: { 201: json('RunnerJobBatch', 'The jobs, accepted.', EXAMPLE_SUBMITTED_BATCH) },
  errors: ['MALFORMED_BODY', 'NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED'],
};

const uuid = { type: 'string', format: 'uuid' };

export const LIST_JOBS: OperationSpec = {
  id: 'listRunnerJobs',
  tag: 'jobs',
  summary: 'List jobs',
  description: 'Newest first, those that fit all filters. Pages stay stable while new jobs come in.',
  path: ['workspaceId'],
  query: [
    limitParameter(50, 200),
    CURSOR,
    { name: 'status', description: 'Only jobs in this status.', schema: { type: 'string', enum: JOB_STATUSES } },
    {
      name: 'kind',
      description: 'Only jobs of this kind, for example PIPELINE.',
      schema: { type: 'string', pattern: '^[A-Z][A-Z0-9_]{0,31}$' },
    },
    { name: 'projectId', description: 'Only jobs of this project.', schema: uuid },
    { name: 'scheduleId', description: 'Only jobs that this schedule made.', schema: uuid },
    { name: 'retryOf', description: 'Only retries of this job.', schema: uuid },
    {
      name: 'tag',
      description: 'Only jobs with this tag; given several times, with all of them.',
      schema: { type: 'array', maxItems: 5, items: { type: 'string', minLength: 1, maxLength: 64 } },
    },
    {
      name: 'metadata.{name}',
      description:
        'Only jobs whose metadata has this text, number, true or false under that name, for example `metadata.customer=acme`. Values of more than 200 characters are not found.',
      schema: { type: 'string', minLength: 1, maxLength: 200 },
    },
  ],
  responses: { 200: json('RunnerJobPage', 'A page of jobs.', EXAMPLE_JOB_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const GET_JOB: OperationSpec = {
  id: 'getRunnerJob',
  tag: 'jobs',
  summary: 'Get a job with its steps',
  path: ['workspaceId', 'jobId'],
  responses: { 200: json('RunnerJob', 'The job at one moment.', EXAMPLE_JOB, ETAG) },
  errors: ['NOT_FOUND'],
};

export const LIST_STEPS: OperationSpec = {
  id: 'listJobSteps',
  tag: 'jobs',
  summary: 'List the steps of a job',
  description: 'All of them (500 at most), in the order in which they run.',
  path: ['workspaceId', 'jobId'],
  responses: { 200: json('JobStepList', 'The steps.', EXAMPLE_STEPS) },
  errors: ['NOT_FOUND'],
};
