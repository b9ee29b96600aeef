import { ARCHIVE, CONTENT, EXPORT, RANGE } from '../artifacts/content-operations.js';
import { EXAMPLE_ARTIFACT_PAGE } from '../openapi/examples.js';
import { json, type OperationSpec, type ResponseSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';

const plain = (description: string, headers: Record<string, string>): ResponseSpec => ({
  description,
  content: {
    'text/plain': { schema: { type: 'string' }, example: 'hello, ledger\n' },
    'application/x-ndjson': {
      schema: { type: 'string' },
      example: '{"stream":"stdout","offset":0,"text":"hello, ledger\\n"}\n',
    },
  },
  headers,
});

const RANGES = { 'Accept-Ranges': '`bytes`.', ETag: 'The SHA-256 of the transcript once it is complete.' };

export const GET_TRANSCRIPT: OperationSpec = {
  id: 'getStepTranscript',
  tag: 'results',
  summary: 'Read what a step printed',
  description:
    'UTF-8 text, standard output and error line by line as they came; `stream` gives the lines of one of them. Secrets of the job are masked. As NDJSON: pieces `{ stream, offset, text }` in order, where `runner` as stream is the line that says how much is missing. While the step runs: what there is so far. A step that never ran a command has no transcript.',
  path: ['workspaceId', 'jobId', 'stepId'],
  query: [
    { name: 'attempt', description: 'Which attempt; the latest by default.', schema: { type: 'integer', minimum: 1 } },
    {
      name: 'stream',
      description: 'Only what this stream wrote, and the line that says how much is missing.',
      schema: { type: 'string', enum: ['stdout', 'stderr'] },
    },
    {
      name: 'format',
      description: '`Accept: application/x-ndjson` says the same. Ranges are of text only.',
      schema: { type: 'string', enum: ['text', 'ndjson'], default: 'text' },
    },
  ],
  headers: [RANGE],
  responses: {
    200: plain('The transcript.', RANGES),
    206: plain('The bytes that were asked for.', { ...RANGES, 'Content-Range': 'Which bytes these are.' }),
  },
  errors: ['NOT_FOUND', 'RANGE_NOT_SATISFIABLE', 'VALIDATION_FAILED', 'STORAGE_UNAVAILABLE'],
};

export const LIST_ARTIFACTS: OperationSpec = {
  id: 'listArtifacts',
  tag: 'results',
  summary: 'List the artifacts of a job',
  description: 'Newest first.',
  path: ['workspaceId', 'jobId'],
  query: [limitParameter(50, 200), CURSOR],
  responses: { 200: json('ArtifactPage', 'A page of artifacts.', EXAMPLE_ARTIFACT_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const GET_ARTIFACT_CONTENT: OperationSpec = {
  id: 'getArtifactContent',
  tag: 'results',
  summary: 'Download an artifact',
  description: 'The bytes, with the media type of the artifact.',
  path: ['workspaceId', 'jobId', 'artifactId'],
  ...CONTENT,
};

export const EXPORT_JOB_ARTIFACTS: OperationSpec = {
  id: 'exportJobArtifacts',
  tag: 'results',
  summary: 'Download the artifacts of a job as one archive',
  description: `The latest version of each key among what the job stored. ${ARCHIVE}`,
  path: ['workspaceId', 'jobId'],
  ...EXPORT,
  errors: [...EXPORT.errors, 'NOT_FOUND'],
};
