/** The part of JSON Schema 2020-12 (what OpenAPI 3.1 speaks) that this document uses. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  enum?: readonly (string | number | boolean | null)[];
  const?: string | number | boolean | null;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  default?: unknown;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  examples?: unknown[];
}

export const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

/** An object of which every property is always there, and nothing else is. */
export function record(description: string, properties: Record<string, JsonSchema>): JsonSchema {
  return { type: 'object', description, properties, required: Object.keys(properties), additionalProperties: false };
}

export const id = (description: string): JsonSchema => ({ type: 'string', format: 'uuid', description });
export const text = (description: string): JsonSchema => ({ type: 'string', description });
export const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description });
export const count = (description: string): JsonSchema => ({ type: 'integer', minimum: 0, description });
export const sha256 = (description: string): JsonSchema => ({ type: 'string', pattern: '^[0-9a-f]{64}$', description });
export const anyObject = (description: string): JsonSchema => ({
  type: 'object',
  description,
  additionalProperties: true,
});

/** The same, or null. */
export function nullable(schema: JsonSchema): JsonSchema {
  const { description, ...rest } = schema;
  if (schema.$ref !== undefined)
    return { anyOf: [rest, { type: 'null' }], ...(description !== undefined && { description }) };
  if (schema.enum !== undefined)
    return { ...schema, type: [String(schema.type), 'null'], enum: [...schema.enum, null] };
  return { ...schema, type: [String(schema.type), 'null'] };
}
