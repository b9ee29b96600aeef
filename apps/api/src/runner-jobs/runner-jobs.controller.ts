import { Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import {
  JOB_STATUSES,
  JobQueries,
  SubmitJob,
  newJobView,
  INSTALLED_ACTIONS,
  parseJobDefinition,
  type JobSummaryView,
  type JobView,
  type StepView,
} from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { ParsedBody } from '../http/body-parsers.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { versionTag } from './etag.js';
import { GET_JOB, LIST_JOBS, LIST_STEPS, SUBMIT_JOB } from './runner-jobs.operations.js';

@Controller('v1/workspaces/:workspaceId/runner-jobs')
export class RunnerJobsController {
  constructor(
    private readonly submitJob: SubmitJob,
    private readonly jobs: JobQueries,
  ) {}

  @Post()
  @HttpCode(201)
  @RequiresKey('jobs:write')
  @Operation(SUBMIT_JOB)
  async submit(
    @IdParam('workspaceId') workspaceId: string,
    @ParsedBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobView> {
    const definition = parseJobDefinition(body, { actions: INSTALLED_ACTIONS.names });
    const job = newJobView(await this.submitJob.submit(workspaceId, { type: 'api_key', id: caller.keyId }, definition));
    reply
      .header('Location', `/v1/workspaces/${workspaceId}/runner-jobs/${job.id}`)
      .header('ETag', versionTag(job.version));
    return job;
  }

  @Get()
  @RequiresKey('jobs:read')
  @Operation(LIST_JOBS)
  async list(@IdParam('workspaceId') workspaceId: string, @Query() query: RawQuery): Promise<Page<JobSummaryView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const options = {
      beforeId: read.idCursor(),
      status: read.choice('status', JOB_STATUSES),
      kind: read.matching('kind', /^[A-Z][A-Z0-9_]{0,31}$/),
    };
    read.done();
    return page(
      limit,
      (count) => this.jobs.list(workspaceId, { ...options, limit: count }),
      (job) => job.id,
    );
  }

  @Get(':jobId')
  @RequiresKey('jobs:read')
  @Operation(GET_JOB)
  async get(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobView> {
    const job = await this.jobs.get(workspaceId, jobId);
    if (job === null) throw notFound();
    reply.header('ETag', versionTag(job.version));
    return job;
  }

  @Get(':jobId/steps')
  @RequiresKey('jobs:read')
  @Operation(LIST_STEPS)
  async steps(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
  ): Promise<{ items: StepView[] }> {
    const items = await this.jobs.steps(workspaceId, jobId);
    if (items === null) throw notFound();
    return { items };
  }
}
