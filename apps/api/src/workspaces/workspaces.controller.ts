import { Controller, Get, Headers, Patch, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { WorkspaceSettings, parseWorkspaceChange, type WorkspaceView } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { ParsedBody } from '../http/body-parsers.js';
import { IdParam } from '../http/id-param.js';
import { notFound } from '../http/problem.js';
import { Operation } from '../openapi/operation.decorator.js';
import { versionTag, versionsOf } from '../runner-jobs/etag.js';
import { CHANGE_WORKSPACE, GET_WORKSPACE } from './workspaces.operations.js';

@Controller('v1/workspaces/:workspaceId')
export class WorkspacesController {
  constructor(private readonly settings: WorkspaceSettings) {}

  @Get()
  @RequiresKey(null)
  @Operation(GET_WORKSPACE)
  async get(
    @IdParam('workspaceId') workspaceId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WorkspaceView> {
    return answered(reply, await this.settings.get(workspaceId));
  }

  @Patch()
  @RequiresKey('admin')
  @Operation(CHANGE_WORKSPACE)
  async change(
    @IdParam('workspaceId') workspaceId: string,
    @ParsedBody() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WorkspaceView> {
    const change = parseWorkspaceChange(body);
    return answered(reply, await this.settings.change(workspaceId, change, versionsOf(ifMatch)));
  }
}

function answered(reply: FastifyReply, workspace: WorkspaceView | null): WorkspaceView {
  if (workspace === null) throw notFound();
  reply.header('ETag', versionTag(workspace.version));
  return workspace;
}
