import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';

export const BODY_LIMIT_BYTES = 1_048_576;
export const BATCH_LIMIT_BYTES = 8 * 1_048_576;

declare module 'fastify' {
  interface FastifyContextConfig {
    bodyLimit?: number;
  }
}

/** The route takes larger bodies than others. */
export function BodyLimit(bytes: number): MethodDecorator {
  return RouteConfig({ bodyLimit: bytes });
}

/** Gives routes with a limit of their own just that. To be called before the routes are registered. */
export function registerBodyLimits(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route) => {
    const own = route.config?.bodyLimit;
    if (own !== undefined) route.bodyLimit = own;
  });
}
