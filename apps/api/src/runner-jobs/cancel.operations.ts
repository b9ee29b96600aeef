import { MAX_CANCEL_REASON_LENGTH } from '#runner';
import { EXAMPLE_JOB } from '../openapi/examples.js';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { ref } from '../openapi/schemas/json-schema.js';

export const CANCEL_JOB: OperationSpec = {
  id: 'cancelRunnerJob',
  tag: 'jobs',
  summary: 'Cancel a job',
  description: `Writes the request to the ledger, tells every worker, and answers: the job ends soon after. What runs gets SIGTERM and, after a grace period, SIGKILL; remaining steps are skipped; CLEANUP runs; the event \`job.cancelled\` is the receipt. Asking again changes nothing. A job that has ended otherwise answers \`CONFLICT\` with its \`state\`. The reason (up to ${MAX_CANCEL_REASON_LENGTH} characters) and the body may be left out.`,
  path: ['workspaceId', 'jobId'],
  body: {
    description: 'Why.',
    optional: true,
    content: {
      'application/json': {
        schema: ref('CancelJob'),
        examples: { reason: { summary: 'With a reason', value: { reason: 'the wrong branch' } } },
      },
    },
  },
  responses: {
    202: json('RunnerJob', 'The job as it is now: cancelled already, or about to be.', EXAMPLE_JOB, {
      ETag: 'The version of the job.',
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
