import { Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import {
  JOB_STATUSES,
  JobQueries,
  SecretSealer,
  SubmitJob,
  newJobView,
  newSummaryView,
  INSTALLED_ACTIONS,
  parseJobBatch,
  parseSubmission,
  type JobSummaryView,
  type JobView,
  type StepView,
} from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { BATCH_LIMIT_BYTES, BodyLimit } from '../http/body-limit.js';
import { ParsedBody } from '../http/body-parsers.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { versionTag } from './etag.js';
import { GET_JOB, LIST_JOBS, LIST_STEPS, SUBMIT_BATCH, SUBMIT_JOB } from './runner-jobs.operations.js';

/** Tags and metadata, each: what a list has to look up at the same time stays bounded. */
const MAX_WORDS = 5;

@Controller('v1/workspaces/:workspaceId/runner-jobs')
export class RunnerJobsController {
  constructor(
    private readonly submitJob: SubmitJob,
    private readonly jobs: JobQueries,
    private readonly sealer: SecretSealer,
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
    const { definition, secrets } = parseSubmission(body, { actions: INSTALLED_ACTIONS.names });
    const sealed = await this.sealer.seal(workspaceId, secrets);
    const actor = { type: 'api_key', id: caller.keyId } as const;
    const job = newJobView(await this.submitJob.submit(workspaceId, actor, definition, {}, sealed));
    reply
      .header('Location', `/v1/workspaces/${workspaceId}/runner-jobs/${job.id}`)
      .header('ETag', versionTag(job.version));
    return job;
  }

  @Post('batch')
  @HttpCode(201)
  @BodyLimit(BATCH_LIMIT_BYTES)
  @RequiresKey('jobs:write')
  @Operation(SUBMIT_BATCH)
  async submitAll(
    @IdParam('workspaceId') workspaceId: string,
    @ParsedBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
  ): Promise<{ items: JobSummaryView[] }> {
    const definitions = await parseJobBatch(body, { actions: INSTALLED_ACTIONS.names });
    const submitted = await this.submitJob.submitAll(workspaceId, { type: 'api_key', id: caller.keyId }, definitions);
    return { items: submitted.map(newSummaryView) };
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
      projectId: read.id('projectId'),
      scheduleId: read.id('scheduleId'),
      retryOf: read.id('retryOf'),
      tags: read.texts('tag', MAX_WORDS, 64),
      metadata: read.members('metadata', MAX_WORDS, { name: 100, value: 200 }),
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
