import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ExportArchive, type BlobStore } from '#artifacts';
import { ArtifactQueries, JobQueries, TranscriptQueries, type ArtifactView } from '#runner';
import { bounded } from '../artifacts/artifact-filter.js';
import { sendArtifact, sendExport } from '../artifacts/send-artifact.js';
import { RequiresKey } from '../auth/api-key.guard.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { TRANSCRIPT_FORMATS, chosenFormat, sendTranscript } from '../streams/send-transcript.js';
import { BLOB_STORE } from '../tokens.js';
import { EXPORT_JOB_ARTIFACTS, GET_ARTIFACT_CONTENT, GET_TRANSCRIPT, LIST_ARTIFACTS } from './results.operations.js';

@Controller('v1/workspaces/:workspaceId/runner-jobs/:jobId')
export class ResultsController {
  constructor(
    private readonly jobs: JobQueries,
    private readonly transcripts: TranscriptQueries,
    private readonly artifacts: ArtifactQueries,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
  ) {}

  @Get('steps/:stepId/transcript')
  @RequiresKey('jobs:read')
  @Operation(GET_TRANSCRIPT)
  async transcript(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @IdParam('stepId') stepId: string,
    @Query() query: RawQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = new QueryReader(query);
    const attempt = read.integer('attempt', 0, 1, 1_000_000);
    const stream = read.choice('stream', ['stdout', 'stderr']);
    const format = chosenFormat(request, read.choice('format', TRANSCRIPT_FORMATS));
    read.done();
    const transcript = await this.transcripts.find(workspaceId, jobId, stepId, attempt === 0 ? null : attempt);
    if (transcript === null) throw notFound();
    await sendTranscript({ request, reply }, this.blobs, transcript, { stream, format });
  }

  @Get('artifacts')
  @RequiresKey('jobs:read')
  @Operation(LIST_ARTIFACTS)
  async list(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @Query() query: RawQuery,
  ): Promise<Page<ArtifactView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const beforeId = read.idCursor();
    read.done();
    const found = await page(
      limit,
      (count) => this.artifacts.listOfJob(workspaceId, jobId, { limit: count, beforeId }),
      (artifact) => artifact.id,
    );
    if (found.items.length === 0 && !(await this.jobs.exists(workspaceId, jobId))) throw notFound();
    return found;
  }

  @Get('artifacts/export.zip')
  @RequiresKey('jobs:read')
  @Operation(EXPORT_JOB_ARTIFACTS)
  async export(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @Query() query: RawQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    new QueryReader(query).done();
    const files = await bounded((atMost) => this.artifacts.latestOfJob(workspaceId, jobId, atMost));
    if (files.length === 0 && !(await this.jobs.exists(workspaceId, jobId))) throw notFound();
    await sendExport(request, reply, new ExportArchive(files), this.blobs);
  }

  @Get('artifacts/:artifactId/content')
  @RequiresKey('jobs:read')
  @Operation(GET_ARTIFACT_CONTENT)
  async content(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('jobId') jobId: string,
    @IdParam('artifactId') artifactId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const artifact = await this.artifacts.get(workspaceId, artifactId, jobId);
    if (artifact === null) throw notFound();
    await sendArtifact(request, reply, artifact, this.blobs);
  }
}
