import { EXAMPLE_EVENT_PAGE, EXAMPLE_STREAM, EXAMPLE_VERIFY_REPORT } from '../openapi/examples.js';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';

export const LIST_EVENTS: OperationSpec = {
  id: 'listJobEvents',
  tag: 'ledger',
  summary: 'List the events of a job',
  description: 'Oldest first: the ledger as it was written. Every event can be checked with its hashes.',
  path: ['workspaceId', 'jobId'],
  query: [limitParameter(100, 500), CURSOR],
  responses: { 200: json('JobEventPage', 'A page of events.', EXAMPLE_EVENT_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

const SEQ = { type: 'integer', minimum: 0 };

export const STREAM_EVENTS: OperationSpec = {
  id: 'streamJobEvents',
  tag: 'ledger',
  summary: 'Follow a job live',
  description: [
    'Server-sent events: every event of the job from the first (or after `Last-Event-ID`) on, then each new one as it is committed.',
    '- `id` is the `seq` of the event, `event` its type, `data` the event as in the list.',
    '- `event: output` is a piece of what a step prints: `{"stepId","stepKey","attempt","offset","text"}`, `offset` in bytes. After a reconnect pieces may come again: drop what you have.',
    '- The whole transcript of a step is sent before its `step.output` event.',
    '- `event: stream.complete` with `{"status","headSeq"}` ends the stream of a finished job: do not reconnect.',
  ].join('\n'),
  path: ['workspaceId', 'jobId'],
  query: [
    { name: 'lastEventId', description: 'As the header `Last-Event-ID`, for clients that cannot set it.', schema: SEQ },
  ],
  headers: [
    {
      name: 'Last-Event-ID',
      description: 'The `seq` of the last event seen; browsers send it by themselves.',
      schema: SEQ,
    },
  ],
  responses: {
    200: {
      description: 'The stream.',
      content: { 'text/event-stream': { schema: { type: 'string' }, example: EXAMPLE_STREAM } },
    },
  },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const VERIFY_JOB: OperationSpec = {
  id: 'verifyRunnerJob',
  tag: 'ledger',
  summary: 'Prove the ledger of a job',
  description:
    'Recomputes every hash from the first event to the recorded head, and folds the events to compare the outcome with the stored job and steps.',
  path: ['workspaceId', 'jobId'],
  responses: {
    200: json('VerifyReport', 'What was found; `valid: false` is an answer, not an error.', EXAMPLE_VERIFY_REPORT),
  },
  errors: ['NOT_FOUND'],
};
