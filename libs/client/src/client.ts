import { followJob, type FollowItem, type FollowOptions } from './follow-job.js';
import { Http, type Query } from './http.js';
import { jsonLines } from './json-lines.js';
import type {
  Approval,
  ApprovalDetail,
  ApprovalStatus,
  Artifact,
  Identity,
  JobEvent,
  JobStep,
  Page,
  RunnerJob,
  RunnerJobStatus,
  RunnerJobSummary,
  Schedule,
  TranscriptPiece,
  VerifyReport,
  Workspace,
  WorkspaceChange,
} from './types.js';

export interface RunledgerClientOptions {
  /** Such as `http://127.0.0.1:3000`. */
  baseUrl: string;
  apiKey: string;
  /** Default: the workspace of the key, asked for once. */
  workspaceId?: string;
}

/** Which transcript of a step. */
export interface TranscriptOf {
  /** Default: the newest. */
  attempt?: number | undefined;
  /** Default: both. */
  stream?: 'stdout' | 'stderr' | undefined;
}

export interface JobFilter {
  status?: RunnerJobStatus;
  kind?: string;
  projectId?: string;
  scheduleId?: string;
  /** The job of which others are retries. */
  retryOf?: string;
  /** All of them. */
  tags?: string[];
  /** Texts, numbers, true and false at the top of the metadata, by name: all of them. */
  metadata?: Record<string, string>;
  /** Jobs per request, 1 to 200. */
  pageSize?: number;
}

export interface ApprovalFilter {
  /** Default: PENDING. */
  status?: ApprovalStatus | 'ALL';
  jobId?: string;
  scope?: string;
  /** Approvals per request, 1 to 200. */
  pageSize?: number;
}

/** Which artifacts an archive has. `projectId: 'none'` stands for those of no project. */
export interface ArtifactScope {
  projectId?: string;
  kind?: string;
}

export interface ArtifactFilter extends ArtifactScope {
  logicalKey?: string;
  /** Only the latest version of each series. */
  latest?: boolean;
  /** Artifacts per request, 1 to 200. */
  pageSize?: number;
}

/** What versions are counted in. Without a project: the series of no project. */
export interface ArtifactSeries {
  projectId?: string;
  kind: string;
  logicalKey: string;
}

/**
 * Runledger's HTTP API, typed. Every method rejects with `ApiError` when the server refuses and with `ConnectionError` when it
 * cannot be reached. Uses the global `fetch`, keeps no connection of its own and needs no closing.
 */
export class RunledgerClient {
  private readonly http: Http;
  private workspace: Promise<string> | undefined;

  constructor(options: RunledgerClientOptions) {
    this.http = new Http(options.baseUrl, options.apiKey);
    if (options.workspaceId !== undefined) this.workspace = Promise.resolve(options.workspaceId);
  }

  /** Whom the key belongs to. */
  me(): Promise<Identity> {
    return this.http.json<Identity>({ path: '/v1/me' });
  }

  /** Submits a job definition; it is committed when this resolves. */
  async submit(definition: unknown): Promise<RunnerJob> {
    return this.http.json<RunnerJob>({ method: 'POST', path: await this.jobs(), body: definition });
  }

  /** Submits up to 1,000 job definitions: all of them, or none. @returns the jobs in the order of the definitions */
  async submitAll(definitions: unknown[]): Promise<RunnerJobSummary[]> {
    const body = { jobs: definitions };
    const path = `${await this.jobs()}/batch`;
    const { items } = await this.http.json<{ items: RunnerJobSummary[] }>({ method: 'POST', path, body });
    return items;
  }

  /** Asks for the end of a job; asking again changes nothing. The job may still be running when this resolves. */
  async cancel(jobId: string, reason?: string): Promise<RunnerJob> {
    const body = reason === undefined ? {} : { reason };
    return this.http.json<RunnerJob>({ method: 'POST', path: await this.job(jobId, '/cancel'), body });
  }

  /**
   * Makes a new job of one that failed or was cancelled.
   * @param from `failed-step` (the default), `start`, or the key of the first step that is to run again
   */
  async retry(jobId: string, from?: string): Promise<RunnerJob> {
    const body = from === undefined ? {} : { from };
    return this.http.json<RunnerJob>({ method: 'POST', path: await this.job(jobId, '/retry'), body });
  }

  async getJob(jobId: string): Promise<RunnerJob> {
    return this.http.json<RunnerJob>({ path: await this.job(jobId) });
  }

  /** All jobs, newest first; pages are fetched as they are needed. */
  async *listJobs(filter: JobFilter = {}): AsyncGenerator<RunnerJobSummary> {
    const { status, kind, projectId, scheduleId, retryOf, tags, metadata = {}, pageSize } = filter;
    const members = Object.entries(metadata).map(([name, value]) => [`metadata.${name}`, value] as const);
    const query = { status, kind, projectId, scheduleId, retryOf, tag: tags, limit: pageSize };
    yield* this.pages<RunnerJobSummary>(await this.jobs(), { ...query, ...Object.fromEntries(members) });
  }

  async steps(jobId: string): Promise<JobStep[]> {
    const { items } = await this.http.json<{ items: JobStep[] }>({ path: await this.job(jobId, '/steps') });
    return items;
  }

  /** The job's ledger from its first event; pages are fetched as they are needed. */
  async *events(jobId: string): AsyncGenerator<JobEvent> {
    yield* this.pages<JobEvent>(await this.job(jobId, '/events'), { limit: 500 });
  }

  /** The job's events and live output until its end. See `followJob` for what happens when the connection breaks. */
  async *followJob(jobId: string, options: FollowOptions = {}): AsyncGenerator<FollowItem> {
    yield* followJob(this.http, await this.job(jobId, '/events/stream'), options);
  }

  /** Checks the job's chain and that its rows are the fold of its events. */
  async verify(jobId: string): Promise<VerifyReport> {
    return this.http.json<VerifyReport>({ path: await this.job(jobId, '/verify') });
  }

  /** What a step wrote, as it comes. */
  async transcript(jobId: string, stepId: string, of: TranscriptOf = {}): Promise<ReadableStream<Uint8Array>> {
    const { attempt, stream } = of;
    return this.bytes(await this.transcriptOf(jobId, stepId), { attempt, stream });
  }

  /** The same in pieces, each of which one stream wrote. */
  async *transcriptPieces(jobId: string, stepId: string, of: TranscriptOf = {}): AsyncGenerator<TranscriptPiece> {
    const { attempt, stream } = of;
    const query = { attempt, stream, format: 'ndjson' };
    yield* jsonLines<TranscriptPiece>(await this.bytes(await this.transcriptOf(jobId, stepId), query));
  }

  async *artifacts(jobId: string): AsyncGenerator<Artifact> {
    yield* this.pages<Artifact>(await this.job(jobId, '/artifacts'), {});
  }

  /** The bytes of an artifact. Whoever keeps them compares their SHA-256 with the artifact's. */
  async artifactContent(jobId: string, artifactId: string): Promise<ReadableStream<Uint8Array>> {
    return this.bytes(await this.job(jobId, `/artifacts/${encodeURIComponent(artifactId)}/content`), {});
  }

  /** The artifacts of the workspace, newest first, whichever jobs stored them. */
  async *workspaceArtifacts(filter: ArtifactFilter = {}): AsyncGenerator<Artifact> {
    const { projectId, kind, logicalKey, latest, pageSize } = filter;
    const query = { projectId, kind, logicalKey, latest: latest === true ? 'true' : undefined, limit: pageSize };
    yield* this.pages<Artifact>(await this.inWorkspace('/artifacts'), query);
  }

  /** The versions of one series, the latest first. */
  async *artifactVersions(series: ArtifactSeries): AsyncGenerator<Artifact> {
    const { projectId, kind, logicalKey } = series;
    yield* this.pages<Artifact>(await this.inWorkspace('/artifacts/versions'), { projectId, kind, logicalKey });
  }

  async artifact(artifactId: string): Promise<Artifact> {
    return this.http.json<Artifact>({ path: await this.inWorkspace(`/artifacts/${encodeURIComponent(artifactId)}`) });
  }

  /** A ZIP archive with the latest version of each series; the same contents give the same bytes. */
  async exportArtifacts(scope: ArtifactScope = {}): Promise<ReadableStream<Uint8Array>> {
    const { projectId, kind } = scope;
    return this.bytes(await this.inWorkspace('/artifacts/export.zip'), { projectId, kind });
  }

  /** The same of what one job stored. */
  async exportJobArtifacts(jobId: string): Promise<ReadableStream<Uint8Array>> {
    return this.bytes(await this.job(jobId, '/artifacts/export.zip'), {});
  }

  private transcriptOf(jobId: string, stepId: string): Promise<string> {
    return this.job(jobId, `/steps/${encodeURIComponent(stepId)}/transcript`);
  }

  /** Those that wait for a decision, oldest first; with another status newest first. */
  async *listApprovals({ pageSize, ...filter }: ApprovalFilter = {}): AsyncGenerator<Approval> {
    yield* this.pages<Approval>(await this.inWorkspace('/approvals'), { ...filter, limit: pageSize });
  }

  async getApproval(approvalId: string): Promise<ApprovalDetail> {
    return this.http.json<ApprovalDetail>({ path: await this.approval(approvalId) });
  }

  /** Recorded once and for good; the same decision again by the same key answers what was recorded. */
  grantApproval(approvalId: string, comment?: string): Promise<ApprovalDetail> {
    return this.decide(approvalId, 'grant', comment);
  }

  /** As `grantApproval`; one rejection settles the approval. */
  rejectApproval(approvalId: string, comment?: string): Promise<ApprovalDetail> {
    return this.decide(approvalId, 'reject', comment);
  }

  /** The settings of the workspace. */
  async getWorkspace(): Promise<Workspace> {
    return this.http.json<Workspace>({ path: await this.inWorkspace('') });
  }

  /** @param version what the caller has seen: rejects with PRECONDITION_FAILED when it was changed since; left out, it does not matter */
  async changeWorkspace(change: WorkspaceChange, version?: number): Promise<Workspace> {
    const headers = version === undefined ? {} : { 'if-match': `"${version}"` };
    return this.http.json<Workspace>({ method: 'PATCH', path: await this.inWorkspace(''), headers, body: change });
  }

  async createSchedule(spec: unknown): Promise<Schedule> {
    return this.http.json<Schedule>({ method: 'POST', path: await this.inWorkspace('/schedules'), body: spec });
  }

  /** All schedules, newest first. */
  async *listSchedules(): AsyncGenerator<Schedule> {
    yield* this.pages<Schedule>(await this.inWorkspace('/schedules'), {});
  }

  async getSchedule(id: string): Promise<Schedule> {
    return this.http.json<Schedule>({ path: await this.schedule(id) });
  }

  /** @param ifMatch the version that was seen; when it has changed since, the server refuses */
  async replaceSchedule(id: string, spec: unknown, ifMatch?: number): Promise<Schedule> {
    const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` };
    return this.http.json<Schedule>({ method: 'PUT', path: await this.schedule(id), body: spec, headers });
  }

  async pauseSchedule(id: string): Promise<Schedule> {
    return this.http.json<Schedule>({ method: 'POST', path: await this.schedule(id, '/pause') });
  }

  async resumeSchedule(id: string): Promise<Schedule> {
    return this.http.json<Schedule>({ method: 'POST', path: await this.schedule(id, '/resume') });
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.http.send({ method: 'DELETE', path: await this.schedule(id) });
  }

  /** The next times of a schedule, RFC 3339. */
  async nextRuns(id: string, count = 10): Promise<string[]> {
    const path = await this.schedule(id, '/next-runs');
    return (await this.http.json<{ items: string[] }>({ path, query: { count } })).items;
  }

  private async schedule(id: string, rest = ''): Promise<string> {
    return this.inWorkspace(`/schedules/${encodeURIComponent(id)}${rest}`);
  }

  private async decide(approvalId: string, decision: string, comment: string | undefined): Promise<ApprovalDetail> {
    const body = comment === undefined ? {} : { comment };
    return this.http.json<ApprovalDetail>({
      method: 'POST',
      path: await this.approval(approvalId, `/${decision}`),
      body,
    });
  }

  private approval(id: string, rest = ''): Promise<string> {
    return this.inWorkspace(`/approvals/${encodeURIComponent(id)}${rest}`);
  }

  private async bytes(
    path: string,
    query: Record<string, string | number | undefined>,
  ): Promise<ReadableStream<Uint8Array>> {
    const response = await this.http.send({ path, query });
    return response.body ?? new Blob([]).stream();
  }

  private async *pages<Item>(path: string, query: Query): AsyncGenerator<Item> {
    let cursor: string | undefined;
    do {
      const page: Page<Item> = await this.http.json<Page<Item>>({ path, query: { ...query, cursor } });
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  private async inWorkspace(rest: string): Promise<string> {
    this.workspace ??= this.me().then((identity) => identity.workspaceId);
    // A look-up that failed is made again by the next call.
    this.workspace.catch(() => (this.workspace = undefined));
    return `/v1/workspaces/${encodeURIComponent(await this.workspace)}${rest}`;
  }

  private jobs(): Promise<string> {
    return this.inWorkspace('/runner-jobs');
  }

  private async job(jobId: string, rest = ''): Promise<string> {
    return `${await this.jobs()}/${encodeURIComponent(jobId)}${rest}`;
  }
}
