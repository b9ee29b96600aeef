import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BlobStore } from '#artifacts';
import { ArtifactQueries, JobQueries, TranscriptQueries, type ArtifactView } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { attachment } from '../http/content-disposition.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { sendContent } from '../http/send-content.js';
import { Operation } from '../openapi/operation.decorator.js';
import { BLOB_STORE } from '../tokens.js';
import { GET_ARTIFACT_CONTENT, GET_TRANSCRIPT, LIST_ARTIFACTS } from './results.operations.js';

const TEXT = 'text/plain; charset=utf-8';

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
    read.done();
    const transcript = await this.transcripts.find(workspaceId, jobId, stepId, attempt === 0 ? null : attempt);
    if (transcript === null) throw notFound();
    if (!transcript.stored) {
      const bytes = Buffer.from(transcript.text);
      const open = async ({ start, end }: { start: number; end: number }): Promise<Buffer> =>
        bytes.subarray(start, end + 1);
      await sendContent(request, reply, { sizeBytes: bytes.length, mediaType: TEXT, etag: undefined, open });
      return;
    }
    const { ref, sha256 } = transcript;
    const sizeBytes = await this.blobs.size(ref);
    if (sizeBytes === null) throw notFound();
    await sendContent(request, reply, {
      sizeBytes,
      mediaType: TEXT,
      etag: `"${sha256}"`,
      open: (range) => this.blobs.get(ref, range),
    });
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
      (count) => this.artifacts.list(workspaceId, jobId, { limit: count, beforeId }),
      (artifact) => artifact.id,
    );
    if (found.items.length === 0 && !(await this.jobs.exists(workspaceId, jobId))) throw notFound();
    return found;
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
    const artifact = await this.artifacts.get(workspaceId, jobId, artifactId);
    if (artifact === null) throw notFound();
    // What a job wrote must never act as a page of this server.
    reply
      .header('Content-Disposition', attachment(artifact.path))
      .header('Content-Security-Policy', "sandbox; default-src 'none'");
    const { sizeBytes, mediaType, sha256, blobKey } = artifact;
    await sendContent(request, reply, {
      sizeBytes,
      mediaType,
      etag: `"${sha256}"`,
      open: (range) => this.blobs.get(blobKey, range),
    });
  }
}
