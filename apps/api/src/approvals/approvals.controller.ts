import { Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { AuthenticatedKey } from '#identity';
import {
  APPROVAL_STATUSES,
  ApprovalQueries,
  DecideApproval,
  type ApprovalDecision,
  type ApprovalDetailView,
  type ApprovalView,
} from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { OptionalBody } from '../http/body-parsers.js';
import { BodyReader } from '../http/body-reader.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { GET_APPROVAL, GRANT_APPROVAL, LIST_APPROVALS, REJECT_APPROVAL } from './approvals.operations.js';

const LONGEST_COMMENT = 2_000;
const LONGEST_SCOPE = 64;

@Controller('v1/workspaces/:workspaceId/approvals')
export class ApprovalsController {
  constructor(
    private readonly approvals: ApprovalQueries,
    private readonly decisions: DecideApproval,
  ) {}

  @Get()
  @RequiresKey('jobs:read')
  @Operation(LIST_APPROVALS)
  async list(@IdParam('workspaceId') workspaceId: string, @Query() query: RawQuery): Promise<Page<ApprovalView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const status = read.choice('status', [...APPROVAL_STATUSES, 'ALL']) ?? 'PENDING';
    const options = {
      afterId: read.idCursor(),
      jobId: read.id('jobId'),
      scope: read.text('scope', LONGEST_SCOPE),
      status: status === 'ALL' ? null : status,
    };
    read.done();
    return page(
      limit,
      (count) => this.approvals.list(workspaceId, { ...options, limit: count }),
      (approval) => approval.id,
    );
  }

  @Get(':approvalId')
  @RequiresKey('jobs:read')
  @Operation(GET_APPROVAL)
  async get(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('approvalId') approvalId: string,
  ): Promise<ApprovalDetailView> {
    const approval = await this.approvals.get(workspaceId, approvalId);
    if (approval === null) throw notFound();
    return approval;
  }

  @Post(':approvalId/grant')
  @HttpCode(200)
  @RequiresKey('approvals:write')
  @Operation(GRANT_APPROVAL)
  grant(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('approvalId') approvalId: string,
    @OptionalBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
  ): Promise<ApprovalDetailView> {
    return this.decide(workspaceId, approvalId, caller, 'grant', body);
  }

  @Post(':approvalId/reject')
  @HttpCode(200)
  @RequiresKey('approvals:write')
  @Operation(REJECT_APPROVAL)
  reject(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('approvalId') approvalId: string,
    @OptionalBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
  ): Promise<ApprovalDetailView> {
    return this.decide(workspaceId, approvalId, caller, 'reject', body);
  }

  private async decide(
    workspaceId: string,
    approvalId: string,
    approver: AuthenticatedKey,
    decision: ApprovalDecision,
    body: unknown,
  ): Promise<ApprovalDetailView> {
    const read = new BodyReader(body);
    const comment = read.text('comment', 1, LONGEST_COMMENT);
    read.done();
    const approval = await this.decisions.decide(workspaceId, approvalId, approver, decision, comment);
    if (approval === null) throw notFound();
    return approval;
  }
}
