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
  JobStepList: record('All steps of a job.', { items: { type: 'array', items: ref('JobStep') } }),
};
