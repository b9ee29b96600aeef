const WORKSPACE_ID = '019ab3c0-0000-7000-8000-000000000001';
const JOB_ID = '019ab3c8-1000-7000-8000-000000000001';
const DIGEST = 'd7f1b0a54c0a4a7a0f5c6e3b2a190817263544536271809fa0b1c2d3e4f50617';
const TREE = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const FILE = 'fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9';

const PENDING = {
  id: '019ab3c8-2000-7000-8000-000000000001',
  workspaceId: WORKSPACE_ID,
  jobId: JOB_ID,
  jobName: 'release',
  stepId: '019ab3c8-1001-7000-8000-000000000002',
  stepKey: 'sign-off',
  scope: 'deploy.production',
  status: 'PENDING',
  subject: {
    summary: 'Version 1.4.0 goes to production',
    digest: DIGEST,
    files: {
      count: 1,
      sizeBytes: 5_120,
      sha256: TREE,
      listed: [{ path: 'dist/app.tar', sha256: FILE, sizeBytes: 5_120 }],
    },
    artifacts: null,
    command: null,
    definition: null,
  },
  minApprovals: 1,
  approverRoles: ['release-manager'],
  grants: 0,
  requestedBy: { type: 'api_key', id: '019ab3c0-0000-7000-8000-000000000002', name: 'ci' },
  requestedAt: '2026-11-21T09:00:01.000Z',
  expiresAt: '2026-11-22T09:00:01.000Z',
  decidedAt: null,
  replacesId: null,
};

const DECIDED_AT = '2026-11-21T09:12:40.512Z';
const decision = (what: string, comment: string) => ({
  decision: what,
  comment,
  actor: { type: 'api_key', id: '019ab3c0-0000-7000-8000-000000000003', name: 'Maria' },
  subjectDigest: DIGEST,
  decidedAt: DECIDED_AT,
});

export const EXAMPLE_APPROVAL_PAGE = { items: [PENDING], nextCursor: null };

export const EXAMPLE_APPROVAL = { ...PENDING, decisions: [] };

export const EXAMPLE_GRANTED = {
  ...PENDING,
  ...{ status: 'GRANTED', grants: 1, decidedAt: DECIDED_AT },
  decisions: [decision('grant', 'checked against the change log')],
};

export const EXAMPLE_REJECTED = {
  ...PENDING,
  ...{ status: 'REJECTED', decidedAt: DECIDED_AT },
  decisions: [decision('reject', 'not before Monday')],
};
