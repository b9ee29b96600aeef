import { Injectable } from '@nestjs/common';
import { Database } from '#database';

export interface ArtifactView {
  id: string;
  jobId: string;
  stepId: string;
  /** The project of the job; null for none. */
  projectId: string | null;
  kind: string;
  logicalKey: string;
  version: number;
  path: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
  createdAt: string;
}

/** What a filter by project asks for: everything (null), one project, or what belongs to none. */
export type ProjectFilter = { id: string | null } | null;

export interface ArtifactFilter {
  project: ProjectFilter;
  kind: string | null;
  logicalKey: string | null;
  /** Only the latest version of each series. */
  latest: boolean;
}

/** What versions are counted in. */
export interface ArtifactSeriesKey {
  projectId: string | null;
  kind: string;
  logicalKey: string;
}

/** What an export needs to know of an artifact. */
export interface ExportedArtifact extends ArtifactSeriesKey {
  id: string;
  sizeBytes: number;
  sha256: string;
  blobKey: string;
}

/** An artifact and where its bytes are. */
export interface StoredArtifact extends ArtifactView {
  blobKey: string;
}

interface ArtifactRow {
  id: string;
  job_id: string;
  step_id: string;
  project_id: string | null;
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

type ExportedRow = Pick<
  ArtifactRow,
  'id' | 'project_id' | 'kind' | 'logical_key' | 'size_bytes' | 'sha256' | 'blob_key'
>;

const COLUMNS = ['id', 'job_id', 'step_id', 'project_id', 'kind', 'logical_key', 'version', 'path', 'media_type']
  .concat(['size_bytes', 'sha256', 'blob_key', 'created_at'])
  .map((name) => `artifact.${name}`)
  .join(', ');

const EXPORTED = ['id', 'project_id', 'kind', 'logical_key', 'size_bytes', 'sha256', 'blob_key']
  .map((name) => `artifact.${name}`)
  .join(', ');

/** Orders nothing where there is one project, or none. But without it PostgreSQL does not see that its index has `IS NULL` in order, and sorts. */
const OF_ONE_PROJECT = 'artifact.project_id DESC';

const LATEST =
  'artifact_series AS series JOIN artifacts AS artifact ON artifact.workspace_id = series.workspace_id AND artifact.id = series.latest_artifact_id';

/** Reads the artifacts of one workspace. What belongs to another is not there. */
@Injectable()
export class ArtifactQueries {
  constructor(private readonly database: Database) {}

  /** Newest first: ids sort by the time at which the bytes were stored. */
  async list(
    workspaceId: string,
    filter: ArtifactFilter,
    options: { limit: number; beforeId: string | null },
  ): Promise<ArtifactView[]> {
    const { conditions, values, where } = conditionsFor(workspaceId);
    where('artifact.id < ?', options.beforeId);
    whereProject(where, filter.project);
    where('artifact.kind = ?', filter.kind);
    where('artifact.logical_key = ?', filter.logicalKey);
    const from = filter.latest ? LATEST : 'artifacts AS artifact';
    const order = filter.project === null ? 'artifact.id DESC' : `${OF_ONE_PROJECT}, artifact.id DESC`;
    const text = `SELECT ${COLUMNS} FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT $${values.push(options.limit)}`;
    return (await this.rows(workspaceId, text, values)).map(toArtifact);
  }

  /** The artifacts of a job, newest first. */
  async listOfJob(
    workspaceId: string,
    jobId: string,
    options: { limit: number; beforeId: string | null },
  ): Promise<ArtifactView[]> {
    const text = `SELECT ${COLUMNS} FROM artifacts AS artifact WHERE workspace_id = $1 AND job_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`;
    const values = [workspaceId, jobId, options.beforeId, options.limit];
    return (await this.rows(workspaceId, text, values)).map(toArtifact);
  }

  /** The versions of one series, the latest first; none when there is no such series. */
  async versions(
    workspaceId: string,
    series: ArtifactSeriesKey,
    options: { limit: number; beforeVersion: number | null },
  ): Promise<ArtifactView[]> {
    const { conditions, values, where } = conditionsFor(workspaceId);
    whereProject(where, { id: series.projectId });
    where('artifact.kind = ?', series.kind);
    where('artifact.logical_key = ?', series.logicalKey);
    where('artifact.version < ?', options.beforeVersion);
    const text = `SELECT ${COLUMNS} FROM artifacts AS artifact WHERE ${conditions.join(' AND ')} ORDER BY ${OF_ONE_PROJECT}, version DESC LIMIT $${values.push(options.limit)}`;
    return (await this.rows(workspaceId, text, values)).map(toArtifact);
  }

  /**
   * @param jobId null: whichever job it is of
   * @returns null when there is no such artifact
   */
  async get(workspaceId: string, artifactId: string, jobId: string | null = null): Promise<StoredArtifact | null> {
    const { conditions, values, where } = conditionsFor(workspaceId);
    where('artifact.id = ?', artifactId);
    where('artifact.job_id = ?', jobId);
    const text = `SELECT ${COLUMNS} FROM artifacts AS artifact WHERE ${conditions.join(' AND ')}`;
    const [row] = await this.rows(workspaceId, text, values);
    return row === undefined ? null : { ...toArtifact(row), blobKey: row.blob_key };
  }

  /** The latest version of each series as of one moment, in no order, `atMost` of them. */
  async latest(
    workspaceId: string,
    filter: Pick<ArtifactFilter, 'project' | 'kind'>,
    atMost: number,
  ): Promise<ExportedArtifact[]> {
    const { conditions, values, where } = conditionsFor(workspaceId, 'series');
    whereProject(where, filter.project, 'series');
    where('series.kind = ?', filter.kind);
    const text = `SELECT ${EXPORTED} FROM ${LATEST} WHERE ${conditions.join(' AND ')} LIMIT $${values.push(atMost)}`;
    return (await this.rows<ExportedRow>(workspaceId, text, values)).map(toExported);
  }

  /** The same of what one job stored. */
  async latestOfJob(workspaceId: string, jobId: string, atMost: number): Promise<ExportedArtifact[]> {
    const text = `SELECT DISTINCT ON (artifact.kind, artifact.logical_key) ${EXPORTED} FROM artifacts AS artifact WHERE workspace_id = $1 AND job_id = $2
      ORDER BY artifact.kind, artifact.logical_key, artifact.version DESC LIMIT $3`;
    return (await this.rows<ExportedRow>(workspaceId, text, [workspaceId, jobId, atMost])).map(toExported);
  }

  private rows<Row extends ExportedRow = ArtifactRow>(
    workspaceId: string,
    text: string,
    values: unknown[],
  ): Promise<Row[]> {
    return this.database.tenantQuery<Row>(workspaceId, { text, values });
  }
}

type Where = (sql: string, value?: unknown) => void;

/** Conditions of a query on one workspace, to which `where` adds what needs no value, and what has one that is not null. */
function conditionsFor(workspaceId: string, table = 'artifact') {
  const conditions = [`${table}.workspace_id = $1`];
  const values: unknown[] = [workspaceId];
  const where: Where = (sql, value) => {
    if (value === undefined) conditions.push(sql);
    else if (value !== null) conditions.push(sql.replace('?', `$${values.push(value)}`));
  };
  return { conditions, values, where };
}

function whereProject(where: Where, project: ProjectFilter, table = 'artifact'): void {
  if (project === null) return;
  // `= NULL` finds nothing, and IS NOT DISTINCT FROM would use no index.
  if (project.id === null) where(`${table}.project_id IS NULL`);
  else where(`${table}.project_id = ?`, project.id);
}

function toArtifact(row: ArtifactRow): ArtifactView {
  return {
    id: row.id,
    jobId: row.job_id,
    stepId: row.step_id,
    projectId: row.project_id,
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

function toExported(row: ExportedRow): ExportedArtifact {
  return {
    id: row.id,
    projectId: row.project_id,
    kind: row.kind,
    logicalKey: row.logical_key,
    sizeBytes: Number(row.size_bytes),
    sha256: row.sha256,
    blobKey: row.blob_key,
  };
}
