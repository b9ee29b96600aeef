import { ERROR_CODES } from '#kernel';
import { ALL_SCOPES } from '#identity';
import { MAX_RUNNING_JOBS } from '#runner';
import { id, nullable, record, text, time, type JsonSchema } from './json-schema.js';

const WORKSPACE_SETTINGS = {
  maxRunningJobs: {
    type: 'integer',
    minimum: 1,
    maximum: MAX_RUNNING_JOBS,
    description: 'Jobs of the workspace that run at a time; null for no limit of its own.',
  },
  requireFourEyes: {
    type: 'boolean',
    description: 'Whether the key that submitted a job may not decide about its approvals.',
  },
  allowNetwork: { type: 'boolean', description: 'Whether steps may ask for the network.' },
} satisfies Record<string, JsonSchema>;

export const generalSchemas: Record<string, JsonSchema> = {
  Problem: {
    type: 'object',
    description: 'An error (RFC 9457).',
    properties: {
      type: { type: 'string', description: 'Identifies the kind of problem: `urn:runledger:problem:<code>`.' },
      title: text('The kind in words.'),
      status: { type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status.' },
      code: { type: 'string', enum: ERROR_CODES, description: 'Stable: switch on this.' },
      detail: text('What is wrong this time, and what to do.'),
      errors: {
        type: 'array',
        description: 'The rules that the request breaks.',
        items: { $ref: '#/components/schemas/FieldError' },
      },
      state: text('With `CONFLICT`: the state of what the request was about, where that stands in its way.'),
    },
    required: ['type', 'title', 'status', 'code', 'detail'],
    additionalProperties: false,
  },
  FieldError: record('One broken rule.', {
    field: text('Where: `steps[2].key`, or the name of a parameter.'),
    rule: text('Which rule.'),
    message: text('A sentence for a person.'),
  }),
  Identity: record('What the presented key is.', {
    workspaceId: id('Its workspace: the first part of every path.'),
    workspaceName: text('The name of the workspace.'),
    keyId: id('The key.'),
    keyName: text('The name it was given.'),
    scopes: { type: 'array', items: { type: 'string', enum: ALL_SCOPES }, description: 'What it may do.' },
    roles: { type: 'array', items: { type: 'string' }, description: 'Which roles of approvals it carries.' },
  }),
  Workspace: record('A workspace and what is decided for all of its jobs.', {
    id: id('UUID v7.'),
    name: text('For people.'),
    ...WORKSPACE_SETTINGS,
    maxRunningJobs: nullable(WORKSPACE_SETTINGS.maxRunningJobs),
    version: { type: 'integer', minimum: 1, description: 'Rises with every change; the value of the ETag.' },
    createdAt: time('When it was made.'),
    updatedAt: time('When it was last changed.'),
  }),
  WorkspaceChange: {
    type: 'object',
    description: 'What is to be changed; what is left out stays.',
    properties: { ...WORKSPACE_SETTINGS, maxRunningJobs: nullable(WORKSPACE_SETTINGS.maxRunningJobs) },
    additionalProperties: false,
  },
  Health: {
    type: 'object',
    description: 'Whether the server can work, and what is wrong.',
    properties: {
      status: { type: 'string', enum: ['ok', 'unavailable'] },
      checks: {
        type: 'object',
        description: 'By part.',
        additionalProperties: {
          type: 'object',
          properties: { status: { type: 'string', enum: ['ok', 'unavailable'] }, message: text('What is wrong.') },
          required: ['status'],
          additionalProperties: false,
        },
      },
    },
    required: ['status'],
    additionalProperties: false,
  },
};
