import { Injectable } from '@nestjs/common';
import { Database } from '#database';

export interface ArtifactView {
  id: string;
  jobId: string;
  stepId: string;
  kind: string;
  logicalKey: string;
  version: number;
  path: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
  createdAt: string;
}

/** An artifact and where its bytes are. */
export interface StoredArtifact extends ArtifactView {
  blobKey: string;
}

interface ArtifactRow {
  id: string;
  job_id: string;
  step_id: string;
  kind: string;
  logical_key: string;
  version: number;
  path: string;
  media_type: string;
  /** bigint: node-postgres gives text. */
  size_bytes: string;
  sha256: string;
  blob_key: string;
  created_at: Date;
}

const COLUMNS =
  'id, job_id, step_id, kind, logical_key, version, path, media_type, size_bytes, sha256, blob_key, created_at';

/** Reads the artifacts of jobs of one workspace. */
@Injectable()
export class ArtifactQueries {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  async list(
    workspaceId: string,
    jobId: string,
    options: { limit: number; beforeId: string | null },
  ): Promise<ArtifactView[]> {
    const text = `SELECT ${COLUMNS} FROM artifacts WHERE workspace_id = $1 AND job_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`;
    const values = [workspaceId, jobId, options.beforeId, options.limit];
    const rows = await this.database.tenantQuery<ArtifactRow>(workspaceId, { text, values });
    return rows.map(toArtifact);
  }

  /** @returns null when the job has no such artifact */
  async get(workspaceId: string, jobId: string, artifactId: string): Promise<StoredArtifact | null> {
    const text = `SELECT ${COLUMNS} FROM artifacts WHERE workspace_id = $1 AND job_id = $2 AND id = $3`;
    const values = [workspaceId, jobId, artifactId];
    const rows = await this.database.tenantQuery<ArtifactRow>(workspaceId, { text, values });
    const row = rows[0];
    return row === undefined ? null : { ...toArtifact(row), blobKey: row.blob_key };
  }
}

function toArtifact(row: ArtifactRow): ArtifactView {
  return {
    id: row.id,
    jobId: row.job_id,
    stepId: row.step_id,
    kind: row.kind,
    logicalKey: row.logical_key,
    version: row.version,
    path: row.path,
    mediaType: row.media_type,
    sizeBytes: Number(row.size_bytes),
    sha256: row.sha256,
    createdAt: row.created_at.toISOString(),
  };
}
