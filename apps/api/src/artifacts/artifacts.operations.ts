import { EXAMPLE_ARTIFACT_PAGE } from '../openapi/examples.js';
import { json, type OperationSpec, type QuerySpec } from '../openapi/operation.decorator.js';
import { CURSOR, limitParameter } from '../openapi/parameters.js';
import { KIND, LOGICAL_KEY_LENGTH, NO_PROJECT } from './artifact-filter.js';
import { ARCHIVE, CONTENT, EXPORT } from './content-operations.js';

const PROJECT: QuerySpec = {
  name: 'projectId',
  description: `Only those of this project; \`${NO_PROJECT}\` for those of no project.`,
  schema: { anyOf: [{ type: 'string', format: 'uuid' }, { const: NO_PROJECT }] },
};

const KIND_FILTER: QuerySpec = {
  name: 'kind',
  description: 'Only those of this kind.',
  schema: { type: 'string', pattern: KIND.source },
};

const LOGICAL_KEY: QuerySpec = {
  name: 'logicalKey',
  description: 'Only those with this logical key, as it is.',
  schema: { type: 'string', minLength: 1, maxLength: LOGICAL_KEY_LENGTH },
};

export const LIST_WORKSPACE_ARTIFACTS: OperationSpec = {
  id: 'listWorkspaceArtifacts',
  tag: 'artifacts',
  summary: 'List the artifacts of a workspace',
  description:
    'Newest first, whichever jobs stored them. With `latest=true` each page shows what is the latest version of its series at that moment.',
  path: ['workspaceId'],
  query: [
    PROJECT,
    KIND_FILTER,
    LOGICAL_KEY,
    {
      name: 'latest',
      description: 'Only the latest version of each series.',
      schema: { type: 'boolean', default: false },
    },
    limitParameter(50, 200),
    CURSOR,
  ],
  responses: { 200: json('ArtifactPage', 'A page of artifacts.', EXAMPLE_ARTIFACT_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const LIST_ARTIFACT_VERSIONS: OperationSpec = {
  id: 'listArtifactVersions',
  tag: 'artifacts',
  summary: 'List the versions of an artifact',
  description: 'Of one series, the latest version first. Without `projectId`: the series of no project.',
  path: ['workspaceId'],
  query: [
    { ...KIND_FILTER, description: 'The kind of the series.', required: true },
    { ...LOGICAL_KEY, description: 'The logical key of the series.', required: true },
    { ...PROJECT, description: `The project of the series; \`${NO_PROJECT}\` is the default.` },
    limitParameter(50, 200),
    CURSOR,
  ],
  responses: { 200: json('ArtifactPage', 'A page of versions.', EXAMPLE_ARTIFACT_PAGE) },
  errors: ['NOT_FOUND', 'VALIDATION_FAILED'],
};

export const GET_WORKSPACE_ARTIFACT: OperationSpec = {
  id: 'getWorkspaceArtifact',
  tag: 'artifacts',
  summary: 'Get an artifact',
  description: 'What is known of it, without its bytes.',
  path: ['workspaceId', 'artifactId'],
  responses: { 200: json('Artifact', 'The artifact.', EXAMPLE_ARTIFACT_PAGE.items[0]) },
  errors: ['NOT_FOUND'],
};

export const GET_WORKSPACE_ARTIFACT_CONTENT: OperationSpec = {
  id: 'getWorkspaceArtifactContent',
  tag: 'artifacts',
  summary: 'Download an artifact of the workspace',
  description: 'The bytes, with the media type of the artifact.',
  path: ['workspaceId', 'artifactId'],
  ...CONTENT,
};

export const EXPORT_WORKSPACE_ARTIFACTS: OperationSpec = {
  id: 'exportWorkspaceArtifacts',
  tag: 'artifacts',
  summary: 'Download the latest artifacts as one archive',
  description: `The latest version of each series as of one moment. ${ARCHIVE}`,
  path: ['workspaceId'],
  query: [PROJECT, KIND_FILTER],
  ...EXPORT,
  errors: [...EXPORT.errors, 'NOT_FOUND'],
};
