import { applyDecorators } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
  type ApiHeaderOptions,
  type ApiOperationOptions,
  type ApiResponseOptions,
} from '@nestjs/swagger';
import type { ErrorCode } from '#kernel';
import { errorResponses } from './error-responses.js';
import { PATH_PARAMETERS, type PathParameter } from './path-parameters.js';
import { ref, type JsonSchema } from './schemas/json-schema.js';
import { TAGS, type TagName } from './tags.js';

export interface ResponseSpec {
  description: string;
  /** Media type to its schema and an example that fits it; none for an answer without a body. */
  content?: Record<string, { schema: JsonSchema; example?: unknown }>;
  headers?: Record<string, string>;
}

export interface QuerySpec {
  name: string;
  schema: JsonSchema;
  description: string;
  /** False where it is left out. */
  required?: boolean;
}

export interface OperationSpec {
  id: string;
  tag: TagName;
  summary: string;
  description?: string;
  path?: PathParameter[];
  query?: QuerySpec[];
  /** Request headers that mean something here. */
  headers?: { name: string; description: string; schema: JsonSchema }[];
  body?: {
    description: string;
    /** True where the body may be left out. */
    optional?: boolean;
    content: Record<string, { schema: JsonSchema; examples: Record<string, { summary: string; value: unknown }> }>;
  };
  responses: Record<number, ResponseSpec>;
  /** Beyond those that every operation with a key can answer. */
  errors?: ErrorCode[];
  /** False for what needs no key. */
  secured?: boolean;
}

/** A JSON answer of a named schema. */
export function json(
  schema: string,
  description: string,
  example: unknown,
  headers?: Record<string, string>,
): ResponseSpec {
  return {
    description,
    content: { 'application/json': { schema: ref(schema), example } },
    ...(headers && { headers }),
  };
}

/** Everything that the API description says of one route, in one place. */
export function Operation(spec: OperationSpec): MethodDecorator {
  const secured = spec.secured ?? true;
  const errors: ErrorCode[] = [
    ...(secured ? (['UNAUTHENTICATED', 'FORBIDDEN', 'DATABASE_UNAVAILABLE'] as const) : []),
    ...(spec.errors ?? []),
    'INTERNAL',
  ];
  return applyDecorators(
    ApiOperation({
      operationId: spec.id,
      summary: spec.summary,
      ...(spec.description !== undefined && { description: spec.description }),
      ...(spec.body && {
        requestBody: requestBody(spec.body),
      }),
    }),
    ...(spec.headers ?? []).map((header) => ApiHeader({ ...header, required: false } as ApiHeaderOptions)),
    ApiTags(TAGS[spec.tag].name),
    ...(secured ? [ApiBearerAuth('apiKey')] : []),
    ...(spec.path ?? []).map((name) => ApiParam({ name, required: true, ...PATH_PARAMETERS[name] })),
    ...(spec.query ?? []).map((query) => ApiQuery({ required: false, ...query })),
    ...Object.entries(spec.responses).map(([status, response]) => ApiResponse(toResponse(Number(status), response))),
    ...errorResponses(errors).map((response) => ApiResponse(response)),
  );
}

function requestBody({ optional, ...body }: NonNullable<OperationSpec['body']>) {
  return { required: optional !== true, ...body } as NonNullable<ApiOperationOptions['requestBody']>;
}

function toResponse(status: number, response: ResponseSpec): ApiResponseOptions {
  const headers = Object.entries(response.headers ?? {}).map(
    ([name, description]) => [name, { description, schema: { type: 'string' } }] as const,
  );
  return {
    status,
    description: response.description,
    ...(response.content && { content: response.content }),
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
  } as ApiResponseOptions;
}
