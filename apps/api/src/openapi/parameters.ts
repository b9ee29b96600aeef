import type { QuerySpec } from './operation.decorator.js';

export const limitParameter = (fallback: number, max: number): QuerySpec => ({
  name: 'limit',
  description: 'The most items to answer.',
  schema: { type: 'integer', minimum: 1, maximum: max, default: fallback },
});

export const CURSOR: QuerySpec = {
  name: 'cursor',
  description: '`nextCursor` of the previous page, as it is.',
  schema: { type: 'string' },
};
