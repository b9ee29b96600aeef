import { count, id, nullable, record, sha256, text, time, type JsonSchema } from './json-schema.js';

export const artifactSchemas: Record<string, JsonSchema> = {
  Artifact: record('One stored file of a step.', {
    id: id('UUID v7.'),
    jobId: id('The job.'),
    stepId: id('The step that stored it.'),
    projectId: nullable(id('The project of the job; null for none.')),
    kind: text('`file` unless the step says otherwise.'),
    logicalKey: text('What it is, across jobs: versions count per project, kind and logical key.'),
    version: {
      type: 'integer',
      minimum: 1,
      description: '1, 2, 3 ... per (workspace, project or none, kind, logicalKey), without gaps.',
    },
    path: text('Where it was in the workdir.'),
    mediaType: text('Guessed from the name.'),
    sizeBytes: count('Bytes.'),
    sha256: sha256('Of the bytes; the ETag of the content.'),
    createdAt: time('When it was stored.'),
  }),
};
