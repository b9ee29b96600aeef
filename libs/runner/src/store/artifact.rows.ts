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
  /** 1, 2, 3 ... within (workspace, kind, logicalKey). */
  version: number;
}

/**
 * Gives each file the next version of its series and stores its row. Must run in a transaction: the counter of a series stays locked until
 * the commit, so versions have neither gaps nor duplicates, however many write at once. Series are taken in one order, so that two writers
 * cannot wait for each other.
 */
export async function insertArtifacts(
  client: DatabaseClient,
  place: { workspaceId: string; jobId: string; stepId: string },
  files: ArtifactFile[],
): Promise<StoredArtifact[]> {
  const stored: StoredArtifact[] = [];
  const ordered = [...files].sort((one, other) =>
    compare(`${one.kind}\n${one.logicalKey}`, `${other.kind}\n${other.logicalKey}`),
  );
  for (const file of ordered) {
    const { rows } = await client.query<{ latest_version: number }>({
      name: 'next-version',
      text: NEXT_VERSION,
      values: [place.workspaceId, file.kind, file.logicalKey],
    });
    const version = rows[0]?.latest_version;
    if (version === undefined) throw new Error(`no version for ${file.kind} ${file.logicalKey}`);
    stored.push({ ...file, version });
  }
  await client.query({
    name: 'insert-artifacts',
    text: INSERT,
    values: [JSON.stringify(stored), place.workspaceId, place.jobId, place.stepId],
  });
  return stored;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

const NEXT_VERSION = `
INSERT INTO artifact_series AS series (workspace_id, kind, logical_key, latest_version) VALUES ($1, $2, $3, 1)
ON CONFLICT (workspace_id, kind, logical_key) DO UPDATE SET latest_version = series.latest_version + 1
RETURNING latest_version`;

const INSERT = `
INSERT INTO artifacts (id, workspace_id, job_id, step_id, kind, logical_key, version, path, media_type, size_bytes, sha256, blob_key)
SELECT i.id, $2, $3, $4, i.kind, i."logicalKey", i.version, i.path, i."mediaType", i."sizeBytes", i.sha256, i."blobKey"
FROM jsonb_to_recordset($1::jsonb) AS i(id uuid, kind text, "logicalKey" text, version int, path text, "mediaType" text, "sizeBytes" bigint, sha256 text, "blobKey" text)`;
