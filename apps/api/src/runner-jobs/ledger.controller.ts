import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EventQueries, type LedgerEvent } from '#ledger';
import { JobQueries, VerifyJob, type VerifyView } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { invalidParameter, notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { JobEventStream } from '../streams/job-event-stream.js';
import { OpenStreams } from '../streams/open-streams.js';
import { LIST_EVENTS, STREAM_EVENTS, VERIFY_JOB } from './ledger.operations.js';

@Controller('v1/workspaces/:workspaceId/runner-jobs/:jobId')
export class LedgerController {
  constructor(
    private readonly jobs: JobQueries,
    private readonly events: EventQueries,
    private readonly verifyJob: VerifyJob,
    private readonly stream: JobEventStream,
    private readonly streams: OpenStreams,
  ) {}

  @Get('events')
  @RequiresKey('jobs:read')
  @Operation(LIST_EVENTS)
  async list(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @Query() query: RawQuery,
  ): Promise<Page<LedgerEvent>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 100, 1, 500);
    const after = read.seqCursor();
    read.done();
    const found = await page(
      limit,
      (count) => this.events.page(workspaceId, jobId, after, count),
      (event) => event.seq,
    );
    if (found.items.length === 0 && !(await this.jobs.exists(workspaceId, jobId))) throw notFound();
    return found;
  }

  @Get('events/stream')
  @RequiresKey('jobs:read')
  @Operation(STREAM_EVENTS)
  async follow(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @Query() query: RawQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = new QueryReader(query);
    const fromQuery = read.integer('lastEventId', 0, 0, 999_999_999);
    read.done();
    const after = lastEventId(request.headers['last-event-id']) ?? fromQuery;
    const steps = await this.jobs.steps(workspaceId, jobId);
    if (steps === null) throw notFound();
    await this.streams.send(request, reply, (signal) =>
      this.stream.follow({ id: jobId, workspaceId, steps }, after, signal),
    );
  }

  @Get('verify')
  @RequiresKey('jobs:read')
  @Operation(VERIFY_JOB)
  async verify(@IdParam('workspaceId') workspaceId: string, @IdParam('jobId') jobId: string): Promise<VerifyView> {
    const report = await this.verifyJob.verify(workspaceId, jobId);
    if (report === null) throw notFound();
    return report;
  }
}

function lastEventId(header: string | string[] | undefined): number | null {
  if (header === undefined || header === '') return null;
  if (typeof header === 'string' && /^\d{1,9}$/.test(header)) return Number(header);
  throw invalidParameter('Last-Event-ID', 'integer', 'must be the `id` of an event of this stream');
}
