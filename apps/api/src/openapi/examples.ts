/** One small job, told consistently through every example of the API description. */

const WORKSPACE_ID = '019ab3c0-0000-7000-8000-000000000001';
const JOB_ID = '019ab3c4-5a10-7c3e-9d55-2f1b6a7e8c01';
const KEY_ID = '019ab3c0-0000-7000-8000-000000000002';
const COUNT_STEP_ID = '019ab3c4-5a11-7a20-8f00-1c9e4b7d2a01';
const GATE_STEP_ID = '019ab3c4-5a11-7a20-8f00-1c9e4b7d2a02';
const FIRST_HASH = '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';
const PAYLOAD_HASH = '9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab';
const HEAD_HASH = '3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282';
const NO_HASH = '0'.repeat(64);

/** A body that works on any installation: submit it as it is. */
export const EXAMPLE_DEFINITION = {
  name: 'hello-ledger',
  steps: [
    { key: 'count', type: 'COMMAND', run: 'echo "hello, ledger"\necho "lines=3" >> "$RUNLEDGER_OUTPUT"\n' },
    { key: 'enough', phase: 'VALIDATION', type: 'GATE', condition: 'int(steps.count.outputs.lines) > 2' },
  ],
};

export const EXAMPLE_ARTIFACT_DEFINITION = {
  name: 'a-report',
  priority: 3,
  env: { TITLE: 'Weekly' },
  steps: [
    {
      key: 'write',
      name: 'Write the report',
      type: 'COMMAND',
      run: 'mkdir report && echo "# $TITLE report" > report/summary.md',
      timeoutSeconds: 60,
    },
    {
      key: 'keep',
      phase: 'VALIDATION',
      type: 'ARTIFACT',
      paths: ['report/*.md'],
      artifactKind: 'report',
      logicalKey: 'weekly',
    },
    { key: 'bye', phase: 'CLEANUP', type: 'COMMAND', run: 'echo "cleanup always runs"' },
  ],
};

export const EXAMPLE_YAML = `name: hello-ledger
steps:
  - key: count
    type: COMMAND
    run: |
      echo "hello, ledger"
      echo "lines=3" >> "$RUNLEDGER_OUTPUT"
  - key: enough
    phase: VALIDATION
    type: GATE
    condition: "int(steps.count.outputs.lines) > 2"
`;

export const EXAMPLE_IDENTITY = {
  workspaceId: WORKSPACE_ID,
  workspaceName: 'default',
  keyId: KEY_ID,
  keyName: 'first key',
  scopes: ['jobs:read', 'jobs:write', 'approvals:write', 'admin'],
  roles: ['release-manager'],
};

const SUMMARY = {
  id: JOB_ID,
  workspaceId: WORKSPACE_ID,
  kind: 'PIPELINE',
  name: 'hello-ledger',
  status: 'COMPLETED',
  priority: 5,
  progressPercent: 100,
  progressMessage: null,
  currentPhase: null,
  error: null,
  waitingFor: null,
  projectId: null,
  tags: ['nightly'],
  metadata: { customer: 'acme' },
  runAt: null,
  expiresAt: null,
  concurrency: null,
  rateLimit: null,
  retryOf: null,
  scheduleId: null,
  cancelRequestedAt: null,
  createdBy: { type: 'api_key', id: KEY_ID },
  version: 7,
  createdAt: '2026-11-21T09:00:00.000Z',
  queuedAt: '2026-11-21T09:00:00.004Z',
  startedAt: '2026-11-21T09:00:00.009Z',
  completedAt: '2026-11-21T09:00:00.131Z',
  updatedAt: '2026-11-21T09:00:00.131Z',
};

const step = (own: {
  id: string;
  ordinal: number;
  key: string;
  phase: string;
  type: string;
  outputs: object;
  durationMs: number;
}): object => ({
  ...own,
  jobId: JOB_ID,
  name: own.key,
  status: 'COMPLETED',
  attempt: 1,
  interruptions: 0,
  retryAt: null,
  exitCode: own.type === 'COMMAND' ? 0 : null,
  error: null,
  skipReason: null,
  tokensInput: 0,
  tokensOutput: 0,
  startedAt: '2026-11-21T09:00:00.010Z',
  completedAt: '2026-11-21T09:00:00.128Z',
});

export const EXAMPLE_STEPS = {
  items: [
    step({
      id: COUNT_STEP_ID,
      ordinal: 0,
      key: 'count',
      phase: 'EXECUTION',
      type: 'COMMAND',
      outputs: { lines: '3' },
      durationMs: 96,
    }),
    step({
      id: GATE_STEP_ID,
      ordinal: 1,
      key: 'enough',
      phase: 'VALIDATION',
      type: 'GATE',
      outputs: {},
      durationMs: 1,
    }),
  ],
};

export const EXAMPLE_JOB = {
  ...SUMMARY,
  definition: EXAMPLE_DEFINITION,
  result: {},
  failedStepId: null,
  head: { seq: 14, hash: HEAD_HASH },
  steps: EXAMPLE_STEPS.items,
};

export const EXAMPLE_NEW_JOB = {
  ...EXAMPLE_JOB,
  status: 'PENDING',
  progressPercent: 0,
  version: 1,
  queuedAt: null,
  startedAt: null,
  completedAt: null,
  updatedAt: SUMMARY.createdAt,
  result: null,
  head: { seq: 1, hash: FIRST_HASH },
  steps: EXAMPLE_STEPS.items.map((one) => ({
    ...one,
    status: 'PENDING',
    attempt: 0,
    outputs: null,
    durationMs: null,
    startedAt: null,
    completedAt: null,
  })),
};

export const EXAMPLE_BATCH = {
  jobs: [
    { ...EXAMPLE_DEFINITION, name: 'hello-1', tags: ['nightly'], metadata: { customer: 'acme' } },
    { ...EXAMPLE_DEFINITION, name: 'hello-2', tags: ['nightly'], metadata: { customer: 'acme' } },
  ],
};

export const EXAMPLE_SUBMITTED_BATCH = {
  items: EXAMPLE_BATCH.jobs.map(({ name }) => ({
    ...SUMMARY,
    ...{ name, status: 'PENDING', progressPercent: 0, version: 1 },
    ...{ queuedAt: null, startedAt: null, completedAt: null, updatedAt: SUMMARY.createdAt },
  })),
};

export const EXAMPLE_WORKSPACE = {
  id: WORKSPACE_ID,
  name: 'default',
  maxRunningJobs: 20,
  requireFourEyes: false,
  allowNetwork: false,
  version: 2,
  createdAt: '2026-11-20T09:00:00.000Z',
  updatedAt: '2026-11-21T09:00:00.000Z',
};

export const EXAMPLE_JOB_PAGE = { items: [SUMMARY], nextCursor: null };

export const EXAMPLE_EVENT = {
  id: '019ab3c4-5a12-7000-8000-000000000001',
  v: 1,
  workspaceId: WORKSPACE_ID,
  jobId: JOB_ID,
  seq: 2,
  type: 'job.queued',
  phase: null,
  stepId: null,
  actorType: 'system',
  actorId: 'admission',
  timestamp: '2026-11-21T09:00:00.004Z',
  payload: {},
  payloadHash: PAYLOAD_HASH,
  prevHash: FIRST_HASH,
  hash: HEAD_HASH,
};

export const EXAMPLE_EVENT_PAGE = { items: [EXAMPLE_EVENT], nextCursor: 'Mg' };

export const EXAMPLE_VERIFY_REPORT = {
  jobId: JOB_ID,
  valid: true,
  events: 14,
  head: { seq: 14, hash: HEAD_HASH },
  firstBad: null,
  fold: { matches: true, differences: [] },
};

export const EXAMPLE_STREAM = `retry: 3000

id: 2
event: job.queued
data: ${JSON.stringify({ ...EXAMPLE_EVENT, prevHash: NO_HASH })}

event: output
data: {"stepId":"${COUNT_STEP_ID}","stepKey":"count","attempt":1,"stream":"stdout","offset":0,"text":"hello, ledger\\n"}

event: stream.complete
data: {"status":"COMPLETED","headSeq":14}

`;

export const EXAMPLE_ARTIFACT_PAGE = {
  items: [
    {
      id: '019ab3c4-6000-7000-8000-000000000001',
      jobId: JOB_ID,
      stepId: GATE_STEP_ID,
      projectId: null,
      kind: 'report',
      logicalKey: 'weekly',
      version: 1,
      path: 'report/summary.md',
      mediaType: 'text/markdown',
      sizeBytes: 16,
      sha256: FIRST_HASH,
      createdAt: '2026-11-21T09:00:00.120Z',
    },
  ],
  nextCursor: null,
};
