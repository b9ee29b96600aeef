import { EXAMPLE_DEFINITION, EXAMPLE_JOB } from '../openapi/examples.js';

/** A body that works on any installation. */
export const EXAMPLE_SCHEDULE_SPEC = {
  name: 'nightly',
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  overlap: 'skip',
  job: EXAMPLE_DEFINITION,
};

export const EXAMPLE_SCHEDULE = {
  id: '019ab3c4-6f10-7c3e-9d55-2f1b6a7e8c31',
  workspaceId: EXAMPLE_JOB.workspaceId,
  name: 'nightly',
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  overlap: 'skip',
  catchUp: 'latest',
  paused: false,
  job: EXAMPLE_JOB.definition,
  nextRunAt: '2026-11-22T01:30:00.000Z',
  lastRunAt: '2026-11-21T01:30:00.000Z',
  lastJobId: EXAMPLE_JOB.id,
  lastOutcome: 'SUBMITTED',
  createdBy: EXAMPLE_JOB.createdBy,
  updatedBy: EXAMPLE_JOB.createdBy,
  version: 1,
  createdAt: '2026-11-20T09:00:00.000Z',
  updatedAt: '2026-11-20T09:00:00.000Z',
};

export const EXAMPLE_SCHEDULE_PAGE = { items: [EXAMPLE_SCHEDULE], nextCursor: null };

export const EXAMPLE_NEXT_RUNS = { items: ['2026-11-22T01:30:00.000Z', '2026-11-23T01:30:00.000Z'] };
