import { Controller, Get } from '@nestjs/common';
import type { AuthenticatedKey } from '#identity';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { json, Operation } from '../openapi/operation.decorator.js';
import { EXAMPLE_IDENTITY } from '../openapi/examples.js';

@Controller('v1/me')
export class MeController {
  @Get()
  @RequiresKey(null)
  @Operation({
    id: 'getMe',
    tag: 'identity',
    summary: 'Who am I?',
    description: 'Tells what the presented key is: its workspace, which every other path begins with, and its scopes.',
    responses: { 200: json('Identity', 'The key and its workspace.', EXAMPLE_IDENTITY) },
  })
  get(@Caller() caller: AuthenticatedKey): AuthenticatedKey {
    return caller;
  }
}
