import { EXAMPLE_ARTIFACT_PAGE } from '../openapi/examples.js';
import { json, type OperationSpec, type ResponseSpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';

const RANGE = {
  name: 'Range',
  description: 'One range of bytes, for example `bytes=0-1023` or `bytes=-500`.',
  schema: { type: 'string' },
};

const binary = (description: string, headers: Record<string, string>): ResponseSpec => ({
  description,
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
  headers,
});

const plain = (description: string, headers: Record<string, string>): ResponseSpec => ({
  description,
  content: { 'text/plain': { schema: { type: 'string' }, example: 'hello, ledger\n' } },
  headers,
});

const RANGES = { 'Accept-Ranges': '`bytes`.', ETag: 'The SHA-256 of the transcript once it is complete.' };

export const GET_TRANSCRIPT: OperationSpec = {
  id: 'getStepTranscript',
  tag: 'results',
  summary: 'Read what a step printed',
  description:
    'UTF-8 text, standard output and error as they came. While the step runs: what there is so far. A step that never ran a command has no transcript.',
  path: ['workspaceId', 'jobId', 'stepId'],
  query: [
    { name: 'attempt', description: 'Which attempt; the latest by default.', schema: { type: 'integer', minimum: 1 } },
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

const CONTENT_HEADERS = {
  ETag: 'The SHA-256 of the bytes.',
  'Content-Disposition': 'Always an attachment: what a job wrote is never shown as a page of this server.',
};

export const GET_ARTIFACT_CONTENT: OperationSpec = {
  id: 'getArtifactContent',
  tag: 'results',
  summary: 'Download an artifact',
  description: 'The bytes, with the media type of the artifact.',
  path: ['workspaceId', 'jobId', 'artifactId'],
  headers: [
    RANGE,
    { name: 'If-None-Match', description: 'Answers 304 when the ETag is this one.', schema: { type: 'string' } },
  ],
  responses: {
    200: binary('The file.', CONTENT_HEADERS),
    206: binary('The bytes that were asked for.', { ...CONTENT_HEADERS, 'Content-Range': 'Which bytes these are.' }),
    304: { description: 'You have it.' },
  },
  errors: ['NOT_FOUND', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE'],
};
