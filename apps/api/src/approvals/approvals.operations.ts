import { APPROVAL_STATUSES } from '#runner';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';
import { ref } from '../openapi/schemas/json-schema.js';
import { EXAMPLE_APPROVAL, EXAMPLE_APPROVAL_PAGE, EXAMPLE_GRANTED, EXAMPLE_REJECTED } from './approvals.examples.js';

export const LIST_APPROVALS: OperationSpec = {
  id: 'listApprovals',
  tag: 'approvals',
  summary: 'List approvals',
  description:
    'Without `status` those that wait for a decision, oldest first: what waits longest is on top. With another status, or ALL, newest first.',
  path: ['workspaceId'],
  query: [
    limitParameter(50, 200),
    CURSOR,
    {
      name: 'status',
      description: 'Only approvals in this status.',
      schema: { type: 'string', enum: [...APPROVAL_STATUSES, 'ALL'], default: 'PENDING' },
    },
    { name: 'jobId', description: 'Only those of this job.', schema: { type: 'string', format: 'uuid' } },
    { name: 'scope', description: 'Only those of this scope.', schema: { type: 'string', maxLength: 64 } },
  ],
  responses: { 200: json('ApprovalPage', 'A page of approvals.', EXAMPLE_APPROVAL_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const GET_APPROVAL: OperationSpec = {
  id: 'getApproval',
  tag: 'approvals',
  summary: 'Get an approval with its decisions',
  path: ['workspaceId', 'approvalId'],
  responses: { 200: json('ApprovalDetail', 'The approval at one moment.', EXAMPLE_APPROVAL) },
  errors: ['NOT_FOUND'],
};

const DECISION = {
  tag: 'approvals',
  path: ['workspaceId', 'approvalId'],
  body: {
    description: 'Why; it may be left out.',
    optional: true,
    content: {
      'application/json': {
        schema: ref('DecideApproval'),
        examples: { comment: { summary: 'With a comment', value: { comment: 'checked against the change log' } } },
      },
    },
  },
  errors: [
    'CONFLICT',
    'MALFORMED_BODY',
    'NOT_FOUND',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'VALIDATION_FAILED',
  ],
} satisfies Partial<OperationSpec>;

const ONCE =
  'A key decides once: the same decision again answers the one that was recorded, the opposite one is `CONFLICT`. What is not PENDING any more answers `CONFLICT` with its `state`. `FORBIDDEN`: the key lacks the role, or it submitted the job and the workspace demands four eyes.';

export const GRANT_APPROVAL: OperationSpec = {
  ...DECISION,
  id: 'grantApproval',
  summary: 'Grant an approval',
  description: `Records the decision for good. With the last one that is needed the approval is GRANTED and the job goes on, provided that the content is still what was approved. ${ONCE}`,
  responses: { 200: json('ApprovalDetail', 'The approval after it.', EXAMPLE_GRANTED) },
};

export const REJECT_APPROVAL: OperationSpec = {
  ...DECISION,
  id: 'rejectApproval',
  summary: 'Reject an approval',
  description: `Records the decision for good. One rejection settles the approval: the gate fails with APPROVAL_REJECTED. ${ONCE}`,
  responses: { 200: json('ApprovalDetail', 'The approval after it.', EXAMPLE_REJECTED) },
};
