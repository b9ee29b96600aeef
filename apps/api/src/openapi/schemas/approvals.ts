import { APPROVAL_STATUSES } from '#runner';
import { count, id, nullable, record, ref, sha256, text, time, type JsonSchema } from './json-schema.js';

const list = (items: JsonSchema, description: string): JsonSchema => ({ type: 'array', items, description });
const files = record('Files of the workdir.', {
  count: count('How many.'),
  sizeBytes: count('Bytes of all of them.'),
  sha256: sha256('Of the canonical JSON of `[[path, sha256, sizeBytes], ...]`, all files, sorted by path.'),
  listed: list(
    record('A file.', { path: text('In the workdir.'), sha256: sha256('Of its bytes.'), sizeBytes: count('Bytes.') }),
    'The first ones, 200 at most.',
  ),
});
const artifacts = record('The latest versions that the job has stored.', {
  count: count('How many.'),
  sha256: sha256('Of the canonical JSON of `[[kind, logicalKey, version, sha256, sizeBytes], ...]`.'),
  listed: list(
    record('An artifact.', {
      artifactId: id('The artifact.'),
      kind: text('Its kind.'),
      logicalKey: text('Its logical key.'),
      version: count('Its version.'),
      sha256: sha256('Of its bytes.'),
      sizeBytes: count('Bytes.'),
    }),
    'All of them.',
  ),
});
const command = record('The command of a later step, as far as it is known.', {
  stepKey: text('The step.'),
  sha256: sha256(
    "Of the canonical JSON of `{step, env, values}`: the step's definition, the env of the job, and the value of each expression or null.",
  ),
  run: text('Its script, cut after 4,000 characters.'),
  values: list(
    record('An expression whose value is known.', {
      expression: text('As written.'),
      value: text('Cut where it is long.'),
    }),
    'The first ones, 20 at most.',
  ),
});

const approval: Record<string, JsonSchema> = {
  id: id('UUID v7: sorts by the time of asking.'),
  workspaceId: id('The workspace.'),
  jobId: id('The job that waits.'),
  jobName: text('Its name.'),
  stepId: id('The gate.'),
  stepKey: text('Its key.'),
  scope: text('What kind of thing is to be allowed: `deploy.production`.'),
  status: {
    type: 'string',
    enum: APPROVAL_STATUSES,
    description:
      'PENDING until it is decided. VOID: granted, but the content had changed since, and the gate has asked again. CANCELLED: the job ended, or is to end, before a decision.',
  },
  subject: ref('ApprovalSubject'),
  minApprovals: { type: 'integer', minimum: 1, description: 'How many have to grant it. One rejection settles it.' },
  approverRoles: list(
    { type: 'string' },
    "Roles of which the approver's key must carry one; empty: any key with the scope.",
  ),
  grants: count('How many have granted it.'),
  requestedBy: record('Who submitted the job.', {
    type: text('`api_key`, `user` or `system`.'),
    id: text('Its id.'),
    name: nullable(text('The name of the key.')),
  }),
  requestedAt: time('When the gate asked.'),
  expiresAt: time('The gate fails when nothing is decided by then.'),
  decidedAt: nullable(time('When it got its status; null while it is PENDING.')),
  replacesId: nullable(id('The approval that became void because the content had changed.')),
};

export const approvalSchemas: Record<string, JsonSchema> = {
  Approval: record('A request for a decision about exact content.', approval),
  ApprovalDetail: record('A request with what was decided about it.', {
    ...approval,
    decisions: list(ref('ApprovalDecision'), 'In their order. Recorded once, never changed.'),
  }),
  ApprovalSubject: record('What exactly is approved; null where it is not about that.', {
    summary: nullable(text('A sentence for the approver.')),
    digest: sha256(
      'Of the canonical JSON of `{v: 1, summary, files, artifacts, command, definition}`, where each part is its own SHA-256 or null.',
    ),
    files: nullableRecord(files),
    artifacts: nullableRecord(artifacts),
    command: nullableRecord(command),
    definition: nullableRecord(
      record('The definition of the job.', { sha256: sha256('Of the canonical JSON of the accepted definition.') }),
    ),
  }),
  ApprovalDecision: record('What one key decided, once.', {
    decision: { type: 'string', enum: ['grant', 'reject'], description: 'What.' },
    comment: nullable(text('Why.')),
    actor: record('Who.', { type: text('`api_key`.'), id: text('Its id.'), name: text('Its name at that time.') }),
    subjectDigest: sha256('What the decision was about.'),
    decidedAt: time('When.'),
  }),
  DecideApproval: {
    type: 'object',
    description: 'Why it is decided so.',
    properties: { comment: { type: 'string', minLength: 1, maxLength: 2_000, description: 'Kept for good.' } },
    additionalProperties: false,
  },
};

function nullableRecord(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] };
}
