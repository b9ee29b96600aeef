import { Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import { newJobView, RetryJob, type JobView } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { OptionalBody } from '../http/body-parsers.js';
import { BodyReader } from '../http/body-reader.js';
import { IdParam } from '../http/id-param.js';
import { notFound } from '../http/problem.js';
import { Operation } from '../openapi/operation.decorator.js';
import { versionTag } from './etag.js';
import { RETRY_JOB } from './retry.operations.js';

/** Longer than any key: what is not one is told so with the keys that there are. */
const MAX_FROM_LENGTH = 200;

@Controller('v1/workspaces/:workspaceId/runner-jobs')
export class RetryController {
  constructor(private readonly retryJob: RetryJob) {}

  @Post(':jobId/retry')
  @HttpCode(201)
  @RequiresKey('jobs:write')
  @Operation(RETRY_JOB)
  async retry(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @OptionalBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobView> {
    const read = new BodyReader(body);
    const from = read.text('from', 1, MAX_FROM_LENGTH) ?? 'failed-step';
    read.done();
    const submitted = await this.retryJob.retry(workspaceId, { type: 'api_key', id: caller.keyId }, jobId, from);
    if (submitted === null) throw notFound();
    const job = newJobView(submitted);
    reply
      .header('Location', `/v1/workspaces/${workspaceId}/runner-jobs/${job.id}`)
      .header('ETag', versionTag(job.version));
    return job;
  }
}
