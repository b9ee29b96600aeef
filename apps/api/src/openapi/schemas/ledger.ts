import { anyObject, count, id, nullable, record, ref, sha256, text, time, type JsonSchema } from './json-schema.js';

export const ledgerSchemas: Record<string, JsonSchema> = {
  JobEvent: record(
    'One immutable fact. `hash` is the SHA-256 of the RFC 8785 form of all fields but `id`, `payload` and `hash`; `payloadHash` that of the payload; `prevHash` is the hash of the event before.',
    {
      id: id('UUID v7.'),
      v: { type: 'integer', const: 1, description: 'Version of the format.' },
      workspaceId: id('The workspace.'),
      jobId: id('The job.'),
      seq: { type: 'integer', minimum: 1, description: '1, 2, 3 ... per job, without gaps.' },
      type: text('For example `step.completed`.'),
      phase: nullable({
        type: 'string',
        enum: ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'],
        description: 'Where it happened.',
      }),
      stepId: nullable(id('The step it is about.')),
      actorType: text('`api_key`, `user`, `worker` or `system`.'),
      actorId: text('Who caused it.'),
      timestamp: time('UTC with three decimals: the very string that is hashed.'),
      payload: nullable(anyObject('Null when it was erased; the chain verifies all the same.')),
      payloadHash: sha256('Of the payload.'),
      prevHash: sha256('Of the event before; 64 zeros in the first.'),
      hash: sha256('Of this event.'),
    },
  ),
  VerifyReport: record('The outcome of checking a job from its events.', {
    jobId: id('The job.'),
    valid: { type: 'boolean', description: 'The chain is whole and folding it gives the stored job.' },
    events: count('Events that were checked.'),
    head: record('Where the chain ends.', { seq: count('Number of the last event.'), hash: sha256('Its hash.') }),
    firstBad: nullable(ref('BadEvent')),
    fold: record('The events folded and compared to the stored rows.', {
      matches: { type: 'boolean', description: 'No column differs.' },
      differences: { type: 'array', items: { type: 'string' }, description: 'Columns that differ, with both values.' },
    }),
  }),
  BadEvent: record('The first event that does not fit.', {
    seq: count('Its number.'),
    reason: text('A stable code.'),
    message: text('A sentence for a person.'),
  }),
};
