import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ExportArchive, type BlobStore } from '#artifacts';
import { ArtifactQueries, type ArtifactView, type StoredArtifact } from '#runner';
import { RequiresKey } from '../auth/api-key.guard.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { BLOB_STORE } from '../tokens.js';
import { bounded, KIND, LOGICAL_KEY_LENGTH, readFilter, readProject } from './artifact-filter.js';
import {
  EXPORT_WORKSPACE_ARTIFACTS,
  GET_WORKSPACE_ARTIFACT,
  GET_WORKSPACE_ARTIFACT_CONTENT,
  LIST_ARTIFACT_VERSIONS,
  LIST_WORKSPACE_ARTIFACTS,
} from './artifacts.operations.js';
import { sendArtifact, sendExport } from './send-artifact.js';

/** The artifacts of a workspace, whichever jobs stored them. */
@Controller('v1/workspaces/:workspaceId/artifacts')
export class ArtifactsController {
  constructor(
    private readonly artifacts: ArtifactQueries,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
  ) {}

  @Get()
  @RequiresKey('jobs:read')
  @Operation(LIST_WORKSPACE_ARTIFACTS)
  async list(@IdParam('workspaceId') workspaceId: string, @Query() query: RawQuery): Promise<Page<ArtifactView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const beforeId = read.idCursor();
    const filter = readFilter(read);
    read.done();
    return page(
      limit,
      (count) => this.artifacts.list(workspaceId, filter, { limit: count, beforeId }),
      (artifact) => artifact.id,
    );
  }

  @Get('versions')
  @RequiresKey('jobs:read')
  @Operation(LIST_ARTIFACT_VERSIONS)
  async versions(@IdParam('workspaceId') workspaceId: string, @Query() query: RawQuery): Promise<Page<ArtifactView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const before = read.seqCursor();
    const series = {
      projectId: readProject(read)?.id ?? null,
      kind: read.required('kind', read.matching('kind', KIND)),
      logicalKey: read.required('logicalKey', read.text('logicalKey', LOGICAL_KEY_LENGTH)),
    };
    read.done();
    const beforeVersion = before === 0 ? null : before;
    const found = await page(
      limit,
      (count) => this.artifacts.versions(workspaceId, series, { limit: count, beforeVersion }),
      (artifact) => artifact.version,
    );
    if (found.items.length === 0 && beforeVersion === null) throw notFound();
    return found;
  }

  @Get('export.zip')
  @RequiresKey('jobs:read')
  @Operation(EXPORT_WORKSPACE_ARTIFACTS)
  async export(
    @IdParam('workspaceId') workspaceId: string,
    @Query() query: RawQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = new QueryReader(query);
    const filter = { project: readProject(read), kind: read.matching('kind', KIND) };
    read.done();
    const files = await bounded((atMost) => this.artifacts.latest(workspaceId, filter, atMost));
    await sendExport(request, reply, new ExportArchive(files), this.blobs);
  }

  @Get(':artifactId')
  @RequiresKey('jobs:read')
  @Operation(GET_WORKSPACE_ARTIFACT)
  async one(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('artifactId') artifactId: string,
  ): Promise<ArtifactView> {
    const { blobKey: _inside, ...artifact } = await this.find(workspaceId, artifactId);
    return artifact;
  }

  @Get(':artifactId/content')
  @RequiresKey('jobs:read')
  @Operation(GET_WORKSPACE_ARTIFACT_CONTENT)
  async content(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('artifactId') artifactId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await sendArtifact(request, reply, await this.find(workspaceId, artifactId), this.blobs);
  }

  private async find(workspaceId: string, artifactId: string): Promise<StoredArtifact> {
    const artifact = await this.artifacts.get(workspaceId, artifactId);
    if (artifact === null) throw notFound();
    return artifact;
  }
}
