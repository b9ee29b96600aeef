import { ERROR_CODES } from '#kernel';
import { ALL_SCOPES } from '#identity';
import { id, record, text, type JsonSchema } from './json-schema.js';

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
  }),
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
