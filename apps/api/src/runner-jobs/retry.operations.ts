import { EXAMPLE_NEW_JOB } from '../openapi/examples.js';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { ref } from '../openapi/schemas/json-schema.js';

export const RETRY_JOB: OperationSpec = {
  id: 'retryRunnerJob',
  tag: 'jobs',
  summary: 'Retry a job',
  description:
    'Makes a new job with the definition and the secrets of one that FAILED or was CANCELLED; `runAt` and `expiresAt` are left out. Steps before `from` that were completed, and are given the same again, are not run again: they are SKIPPED with reason REUSED and have the outputs that they had, and the workdir is restored as it was. A step that runs again all the same says why in `step.started`. The old job does not change. A job in another state answers `CONFLICT` with its `state`. The body may be left out.',
  path: ['workspaceId', 'jobId'],
  body: {
    description: 'Where to begin.',
    optional: true,
    content: {
      'application/json': {
        schema: ref('RetryJob'),
        examples: {
          failed: { summary: 'From the step that failed', value: { from: 'failed-step' } },
          start: { summary: 'All of it', value: { from: 'start' } },
        },
      },
    },
  },
  responses: {
    201: json('RunnerJob', 'The new job; `retryOf` names the old one.', EXAMPLE_NEW_JOB, {
      Location: 'Where the new job is.',
      ETag: 'The version of the new job.',
    }),
  },
  errors: [
    'CONFLICT',
    'MALFORMED_BODY',
    'NOT_FOUND',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'VALIDATION_FAILED',
  ],
};
