import { Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import { CancelJob, JobQueries, MAX_CANCEL_REASON_LENGTH, type JobView } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { OptionalBody } from '../http/body-parsers.js';
import { BodyReader } from '../http/body-reader.js';
import { IdParam } from '../http/id-param.js';
import { notFound } from '../http/problem.js';
import { Operation } from '../openapi/operation.decorator.js';
import { CANCEL_JOB } from './cancel.operations.js';
import { versionTag } from './etag.js';

@Controller('v1/workspaces/:workspaceId/runner-jobs')
export class CancelController {
  constructor(
    private readonly cancelJob: CancelJob,
    private readonly jobs: JobQueries,
  ) {}

  @Post(':jobId/cancel')
  @HttpCode(202)
  @RequiresKey('jobs:write')
  @Operation(CANCEL_JOB)
  async cancel(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @OptionalBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobView> {
    const read = new BodyReader(body);
    const reason = read.text('reason', 1, MAX_CANCEL_REASON_LENGTH);
    read.done();
    const found = await this.cancelJob.cancel(workspaceId, jobId, { type: 'api_key', id: caller.keyId }, reason);
    const job = found === null ? null : await this.jobs.get(workspaceId, jobId);
    if (job === null) throw notFound();
    reply.header('ETag', versionTag(job.version));
    return job;
  }
}
