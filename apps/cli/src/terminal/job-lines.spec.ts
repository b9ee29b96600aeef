import pc from 'picocolors';
import type { RunnerJob } from '#client';
import { jobLines } from './job-lines.js';

const job: RunnerJob = {
  ...{ id: 'j', workspaceId: 'w', kind: 'PIPELINE', name: 'deploy', status: 'PENDING', priority: 5 },
  ...{ progressPercent: 40, progressMessage: null, currentPhase: null, error: null, waitingFor: null, projectId: null },
  ...{ tags: [], metadata: {}, runAt: null, expiresAt: null, concurrency: null, rateLimit: null, retryOf: null },
  ...{ scheduleId: null, cancelRequestedAt: null, createdBy: { type: 'api_key', id: 'k' }, version: 1 },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', queuedAt: null, startedAt: null, completedAt: null },
  ...{ updatedAt: '2026-01-01T00:00:00.000Z', definition: {}, result: null, failedStepId: null },
  ...{ head: { seq: 1, hash: '0'.repeat(64) }, steps: [] },
};
const lines = (change: Partial<RunnerJob>): string[] =>
  jobLines({ ...job, ...change }, pc.createColors(false)).slice(2);

describe('a job in words', () => {
  it('has no more than there is to say', () => {
    expect(lines({})).toEqual([]);
  });

  it.each<[Partial<RunnerJob>, string]>([
    [{ waitingFor: { reason: 'RUN_AT', until: 'then' } }, 'waits until then'],
    [
      { waitingFor: { reason: 'CONCURRENCY', until: null }, concurrency: { key: 'k', limit: 2, onConflict: 'queue' } },
      'waits for a job with the concurrency key k to end',
    ],
    [
      { waitingFor: { reason: 'RATE_LIMIT', until: null }, rateLimit: { key: 'r', limit: 2, periodSeconds: 60 } },
      'waits for its turn under the rate limit r',
    ],
    [{ waitingFor: { reason: 'APPROVAL', until: 'then' } }, 'waits for an approval, until then at the latest'],
    [{ waitingFor: { reason: 'RETRY', until: 'then' } }, 'waits until then for the next attempt of a step'],
    [{ cancelRequestedAt: 'then' }, 'to be cancelled since then'],
    [{ progressMessage: 'half\u001b[2J way' }, '40 %: half way'],
  ])('says what it waits for: %j', (change, line) => {
    expect(lines(change)[0]).toBe(line);
    expect(lines({ ...change, status: 'COMPLETED' })).not.toContain(line);
  });

  it('tells what it was submitted with', () => {
    const options = { projectId: 'p', runAt: 'then', retryOf: 'other', tags: ['a', 'b'], metadata: { x: 'y', n: [1] } };
    expect(lines({ ...options, rateLimit: { key: 'r', limit: 2, periodSeconds: 60 } })).toEqual([
      'project p · not before then · 2 in 60 s of r · retry of other',
      'tags: a, b',
      'metadata: x=y, n=[1]',
    ]);
  });
});
