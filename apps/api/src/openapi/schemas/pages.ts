import { nullable, record, ref, text, type JsonSchema } from './json-schema.js';

const page = (item: string): JsonSchema =>
  record(`A page of ${item}.`, {
    items: { type: 'array', items: ref(item) },
    nextCursor: nullable(text('Pass it as `cursor` for the next page; null on the last.')),
  });

export const pageSchemas: Record<string, JsonSchema> = {
  RunnerJobPage: page('RunnerJobSummary'),
  JobEventPage: page('JobEvent'),
  ArtifactPage: page('Artifact'),
  ApprovalPage: page('Approval'),
  SchedulePage: page('Schedule'),
  RunnerJobBatch: record('The accepted jobs, in the order of the definitions.', {
    items: { type: 'array', items: ref('RunnerJobSummary') },
  }),
  JobStepList: record('All steps of a job.', { items: { type: 'array', items: ref('JobStep') } }),
};
