import type { DatabaseClient } from '#database';

/** A file whose bytes are in the blob store, about to become a version. */
export interface ArtifactFile {
  id: string;
  kind: string;
  logicalKey: string;
  /** Relative to the workdir. */
  path: string;
  mediaType: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  blobKey: string;
}

export interface StoredArtifact extends ArtifactFile {
  /** 1, 2, 3 ... within (workspace, project or none, kind, logicalKey). */
  version: number;
}

/** Whose artifacts they are. */
export interface ArtifactPlace {
  workspaceId: string;
  projectId: string | null;
  jobId: string;
  stepId: string;
}

/**
 * Gives each file the next version of its series and stores its row. Must run in a transaction: the counter of a series stays locked until
 * the commit, so versions have neither gaps nor duplicates, however many write at once. The statement takes the series in one order, so
 * that two writers cannot wait for each other. No two of the files may be of the same series.
 */
export async function insertArtifacts(
  client: DatabaseClient,
  place: ArtifactPlace,
  files: ArtifactFile[],
): Promise<StoredArtifact[]> {
  if (files.length === 0) return [];
  const { rows } = await client.query<{ id: string; version: number }>({
    name: 'insert-artifacts',
    text: INSERT,
    values: [JSON.stringify(files), place.workspaceId, place.projectId, place.jobId, place.stepId],
  });
  const versions = new Map(rows.map((row) => [row.id, row.version]));
  return files.map((file) => {
    const version = versions.get(file.id);
    if (version === undefined) throw new Error(`no version for ${file.kind} ${file.logicalKey}`);
    return { ...file, version };
  });
}

const INSERT = `
WITH given AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb)
    AS i(id uuid, kind text, "logicalKey" text, path text, "mediaType" text, "sizeBytes" bigint, sha256 text, "blobKey" text)
), counted AS (
  INSERT INTO artifact_series AS series (workspace_id, project_id, kind, logical_key, latest_version, latest_artifact_id)
  SELECT $2, $3::uuid, kind, "logicalKey", 1, id FROM given ORDER BY kind COLLATE "C", "logicalKey" COLLATE "C"
  ON CONFLICT (workspace_id, project_id, kind, logical_key) DO UPDATE
    SET latest_version = series.latest_version + 1, latest_artifact_id = excluded.latest_artifact_id
  RETURNING latest_artifact_id AS id, latest_version AS version
)
INSERT INTO artifacts (id, workspace_id, project_id, job_id, step_id, kind, logical_key, version, path, media_type, size_bytes, sha256, blob_key)
SELECT given.id, $2, $3::uuid, $4, $5, given.kind, given."logicalKey", counted.version, given.path, given."mediaType", given."sizeBytes", given.sha256,
  given."blobKey"
FROM given JOIN counted ON counted.id = given.id
RETURNING id, version`;
