import { CATCH_UPS, OUTCOMES, OVERLAPS } from '#schedules';
import { anyObject, id, nullable, record, ref, text, time, type JsonSchema } from './json-schema.js';

const rules: Record<string, JsonSchema> = {
  name: { type: 'string', minLength: 1, maxLength: 200, description: 'Unique in the workspace.' },
  cron: { type: 'string', minLength: 1, maxLength: 200, description: 'When: `30 2 * * *`, or `@daily`.' },
  timeZone: { type: 'string', default: 'UTC', description: 'An IANA time zone.' },
  overlap: {
    type: 'string',
    enum: OVERLAPS,
    default: 'skip',
    description: 'When an earlier job of it is not over: no job, a job that waits, or one that cancels the earlier.',
  },
  catchUp: {
    type: 'string',
    enum: CATCH_UPS,
    default: 'latest',
    description: 'Times that were missed because no worker was there.',
  },
  paused: { type: 'boolean', default: false, description: 'A paused schedule does not fire.' },
};

export const scheduleSchemas: Record<string, JsonSchema> = {
  ScheduleSpec: {
    type: 'object',
    description: 'What a schedule says.',
    properties: { ...rules, job: ref('JobDefinition') },
    required: ['name', 'cron', 'job'],
    additionalProperties: false,
  },
  Schedule: record('A schedule.', {
    id: id('UUID v7.'),
    workspaceId: id('The workspace that owns it.'),
    ...rules,
    job: anyObject('The definition of its jobs as it was accepted, defaults filled in.'),
    nextRunAt: nullable(time('When it is due next; null while it is paused, and when no time is left.')),
    lastRunAt: nullable(time('Its last time, whatever became of it.')),
    lastJobId: nullable(id('The last job that it submitted.')),
    lastOutcome: nullable({
      type: 'string',
      enum: OUTCOMES,
      description: 'What became of its last time: a job, or why there was none.',
    }),
    createdBy: record('Who created it.', { type: text('`api_key`, `user` or `system`.'), id: text('Its id.') }),
    updatedBy: record('Who last said what it runs.', { type: text('As of createdBy.'), id: text('Its id.') }),
    version: {
      type: 'integer',
      minimum: 1,
      description: 'Rises with every change by a person; the value of the ETag.',
    },
    createdAt: time('When it was created.'),
    updatedAt: time('When a person last changed it.'),
  }),
  NextRuns: record('When a schedule is due.', { items: { type: 'array', items: time('In order.') } }),
};
