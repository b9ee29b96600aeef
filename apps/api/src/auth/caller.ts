import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import { AppError } from '#kernel';

declare module 'fastify' {
  interface FastifyRequest {
    /** The key that the request presented; null before, and on routes that need none. */
    caller: AuthenticatedKey | null;
  }
}

/** The authenticated key, in a handler behind the guard. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): AuthenticatedKey => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (caller === null) throw new AppError('INTERNAL', 'a handler asks for the caller on a route without the guard');
  return caller;
});
