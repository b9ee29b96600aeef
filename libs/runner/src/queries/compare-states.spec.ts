import type { JobState, StepState } from '../state/job-state.js';
import { compareStates } from './compare-states.js';

const step: StepState = {
  id: 's1',
  ordinal: 0,
  key: 'count',
  name: 'count',
  phase: 'EXECUTION',
  type: 'COMMAND',
  status: 'COMPLETED',
  config: { a: 1, b: 2 },
  attempt: 1,
  interruptions: 0,
  retryAt: null,
  outputs: { n: '3' },
  exitCode: 0,
  errorCode: null,
  errorMessage: null,
  skipReason: null,
  tokensInput: 0,
  tokensOutput: 0,
  durationMs: 5,
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: null,
  completedAt: null,
  updatedAt: '2026-01-01T00:00:00.000Z',
};

const job: JobState = {
  id: 'j1',
  workspaceId: 'w1',
  kind: 'PIPELINE',
  name: 'n',
  status: 'COMPLETED',
  priority: 5,
  progressPercent: 100,
  progressMessage: null,
  currentPhase: null,
  definition: { name: 'n' },
  result: {},
  errorCode: null,
  errorMessage: null,
  failedStepId: null,
  projectId: null,
  tags: ['release'],
  metadata: { customer: 'acme' },
  runAt: null,
  expiresAt: null,
  concurrency: { key: 'k', limit: 1, onConflict: 'queue' },
  rateLimit: null,
  retryOfId: null,
  scheduleId: null,
  cancelRequestedAt: null,
  createdByType: 'api_key',
  createdById: 'k',
  createdAt: '2026-01-01T00:00:00.000Z',
  queuedAt: null,
  startedAt: null,
  completedAt: null,
  updatedAt: '2026-01-01T00:00:00.000Z',
  steps: [step],
};

describe('comparing the fold with the rows', () => {
  it('finds nothing in equal states, whatever the order of keys', () => {
    expect(compareStates(job, { ...job, steps: [{ ...step, config: { b: 2, a: 1 } }] })).toEqual([]);
  });

  it('finds every changed field of the job', () => {
    for (const name of Object.keys(job).filter((key) => key !== 'steps')) {
      const differences = compareStates(job, { ...job, [name]: 'tampered' });
      expect(differences).toHaveLength(1);
      expect(differences[0]).toContain(`job: ${name} is "tampered"`);
    }
  });

  it('finds every changed field of a step', () => {
    for (const name of Object.keys(step).filter((key) => key !== 'id')) {
      expect(compareStates(job, { ...job, steps: [{ ...step, [name]: 'tampered' }] })).toEqual([
        expect.stringContaining(`step "count": ${name} is "tampered"`),
      ]);
    }
  });

  it('finds missing and added steps', () => {
    expect(compareStates(job, { ...job, steps: [] })).toEqual(['step "count" has no row']);
    expect(compareStates(job, { ...job, steps: [step, { ...step, id: 's2' }] })).toEqual([
      'step s2 has a row but no event',
    ]);
  });
});
