import { EXAMPLE_WORKSPACE } from '../openapi/examples.js';
import { json, type OperationSpec } from '../openapi/operation.decorator.js';
import { ref } from '../openapi/schemas/json-schema.js';

const ETAG = { ETag: 'The version of the workspace.' };

export const GET_WORKSPACE: OperationSpec = {
  id: 'getWorkspace',
  tag: 'identity',
  summary: 'Get the settings of the workspace',
  description: 'Any key of the workspace may.',
  path: ['workspaceId'],
  responses: { 200: json('Workspace', 'The workspace.', EXAMPLE_WORKSPACE, ETAG) },
  errors: ['NOT_FOUND'],
};

export const CHANGE_WORKSPACE: OperationSpec = {
  id: 'changeWorkspace',
  tag: 'identity',
  summary: 'Change the settings of the workspace',
  description:
    'What is left out stays. A change counts from now on: for jobs that wait and for steps that are not started yet, too.',
  path: ['workspaceId'],
  headers: [
    {
      name: 'If-Match',
      description: 'The `ETag` of what you have seen: 412 when somebody has changed it since.',
      schema: { type: 'string' },
    },
  ],
  body: {
    description: 'The settings that change.',
    content: {
      'application/json': {
        schema: ref('WorkspaceChange'),
        examples: { limit: { summary: 'At most 20 jobs at a time', value: { maxRunningJobs: 20 } } },
      },
    },
  },
  responses: { 200: json('Workspace', 'The workspace as it is now.', EXAMPLE_WORKSPACE, ETAG) },
  errors: [
    'MALFORMED_BODY',
    'NOT_FOUND',
    'PAYLOAD_TOO_LARGE',
    'PRECONDITION_FAILED',
    'UNSUPPORTED_MEDIA_TYPE',
    'VALIDATION_FAILED',
  ],
};
