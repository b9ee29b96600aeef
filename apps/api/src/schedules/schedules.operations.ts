import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';
import { ref } from '../openapi/schemas/json-schema.js';
import {
  EXAMPLE_NEXT_RUNS,
  EXAMPLE_SCHEDULE,
  EXAMPLE_SCHEDULE_PAGE,
  EXAMPLE_SCHEDULE_SPEC,
} from './schedules.examples.js';

const ETAG = { ETag: 'The version of the schedule.' };
const IF_MATCH = [
  {
    name: 'If-Match',
    description: 'The ETag that was seen: when the schedule has changed since, nothing happens and the answer is 412.',
    schema: { type: 'string' },
  },
];
const BODY = {
  description: 'When to run what.',
  content: {
    'application/json': {
      schema: ref('ScheduleSpec'),
      examples: { nightly: { summary: 'Every night in Berlin', value: EXAMPLE_SCHEDULE_SPEC } },
    },
  },
};
const BODY_ERRORS = ['MALFORMED_BODY', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED'] as const;
const PATH = ['workspaceId', 'scheduleId'] as const;

export const CREATE_SCHEDULE: OperationSpec = {
  id: 'createSchedule',
  tag: 'schedules',
  summary: 'Create a schedule',
  description:
    'Cron with five fields, six with seconds in front, or a nickname such as `@daily`, in an IANA time zone. A cron that never fires is refused. `overlap` says what happens when an earlier job of it is not over: `skip`, `queue` or `cancel-previous`; `catchUp` what happens with times that were missed because no worker was there: `none`, `latest` or `all` (100 at most).',
  path: ['workspaceId'],
  body: BODY,
  responses: {
    201: json('Schedule', 'The schedule.', EXAMPLE_SCHEDULE, { Location: 'Where the schedule is.', ...ETAG }),
  },
  errors: ['CONFLICT', 'NOT_FOUND', ...BODY_ERRORS],
};

export const LIST_SCHEDULES: OperationSpec = {
  id: 'listSchedules',
  tag: 'schedules',
  summary: 'List schedules',
  description: 'Newest first.',
  path: ['workspaceId'],
  query: [limitParameter(50, 200), CURSOR],
  responses: { 200: json('SchedulePage', 'A page of schedules.', EXAMPLE_SCHEDULE_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const GET_SCHEDULE: OperationSpec = {
  id: 'getSchedule',
  tag: 'schedules',
  summary: 'Get a schedule',
  description: 'Its jobs are listed by `GET .../runner-jobs?scheduleId=`.',
  path: [...PATH],
  responses: { 200: json('Schedule', 'The schedule.', EXAMPLE_SCHEDULE, ETAG) },
  errors: ['NOT_FOUND'],
};

export const LIST_NEXT_RUNS: OperationSpec = {
  id: 'listNextRuns',
  tag: 'schedules',
  summary: 'List the next times of a schedule',
  description: 'None for a schedule that is paused.',
  path: [...PATH],
  query: [
    {
      name: 'count',
      description: 'How many.',
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
    },
  ],
  responses: { 200: json('NextRuns', 'The times.', EXAMPLE_NEXT_RUNS) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const REPLACE_SCHEDULE: OperationSpec = {
  id: 'replaceSchedule',
  tag: 'schedules',
  summary: 'Replace a schedule',
  description: 'What is left out takes its default. Jobs that were submitted already stay as they are.',
  path: [...PATH],
  headers: IF_MATCH,
  body: BODY,
  responses: { 200: json('Schedule', 'The schedule as it is now.', EXAMPLE_SCHEDULE, ETAG) },
  errors: ['CONFLICT', 'NOT_FOUND', 'PRECONDITION_FAILED', ...BODY_ERRORS],
};

export const PAUSE_SCHEDULE: OperationSpec = {
  id: 'pauseSchedule',
  tag: 'schedules',
  summary: 'Pause a schedule',
  description: 'Pausing a paused one changes nothing.',
  path: [...PATH],
  responses: {
    200: json('Schedule', 'The schedule as it is now.', { ...EXAMPLE_SCHEDULE, paused: true, nextRunAt: null }, ETAG),
  },
  errors: ['NOT_FOUND', 'PRECONDITION_FAILED'],
};

export const RESUME_SCHEDULE: OperationSpec = {
  id: 'resumeSchedule',
  tag: 'schedules',
  summary: 'Resume a schedule',
  description: 'The next time is counted from now: what fell into the pause is not caught up on.',
  path: [...PATH],
  responses: { 200: json('Schedule', 'The schedule as it is now.', EXAMPLE_SCHEDULE, ETAG) },
  errors: ['NOT_FOUND', 'PRECONDITION_FAILED'],
};

export const DELETE_SCHEDULE: OperationSpec = {
  id: 'deleteSchedule',
  tag: 'schedules',
  summary: 'Delete a schedule',
  description: 'Its jobs stay, and still name it.',
  path: [...PATH],
  headers: IF_MATCH,
  responses: { 204: { description: 'It is gone.' } },
  errors: ['NOT_FOUND', 'PRECONDITION_FAILED'],
};
