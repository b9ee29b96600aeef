import {
  Injectable,
  SetMetadata,
  UseGuards,
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ApiKeys, type Scope } from '#identity';
import { AppError } from '#kernel';
import { notFound } from '../http/problem.js';

const SCOPE = 'runledger:scope';

/** Refuses callers whose key is missing, wrong, of another workspace than the path names, or lacks the scope: in this order. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly keys: ApiKeys,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest<{ Params: { workspaceId?: string } }>>();
    const caller = await this.keys.authenticate(bearerOf(request.headers.authorization));
    const { workspaceId } = request.params;
    if (workspaceId !== undefined && workspaceId !== caller.workspaceId) throw notFound();
    const scope = this.reflector.get<Scope | null>(SCOPE, context.getHandler());
    if (scope !== null && !caller.scopes.includes(scope))
      throw new AppError('FORBIDDEN', `This API key lacks the scope "${scope}".`);
    request.caller = caller;
    return true;
  }
}

/** The route needs an API key, with this scope unless null. */
export function RequiresKey(scope: Scope | null): MethodDecorator {
  return applyDecorators(SetMetadata(SCOPE, scope), UseGuards(ApiKeyGuard));
}

/** RFC 6750; the scheme is case-insensitive. */
function bearerOf(header: string | undefined): string {
  const token = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1];
  if (token === undefined)
    throw new AppError('UNAUTHENTICATED', 'Send an API key: `Authorization: Bearer rl_live_...`.');
  return token;
}
