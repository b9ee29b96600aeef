import { followJob, type FollowItem, type FollowOptions } from './follow-job.js';
import { Http } from './http.js';
import type {
  Artifact,
  Identity,
  JobEvent,
  JobStep,
  Page,
  RunnerJob,
  RunnerJobStatus,
  RunnerJobSummary,
  VerifyReport,
} from './types.js';

export interface RunledgerClientOptions {
  /** Such as `http://127.0.0.1:3000`. */
  baseUrl: string;
  apiKey: string;
  /** Default: the workspace of the key, asked for once. */
  workspaceId?: string;
}

export interface JobFilter {
  status?: RunnerJobStatus;
  kind?: string;
  /** Jobs per request, 1 to 200. */
  pageSize?: number;
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

  async getJob(jobId: string): Promise<RunnerJob> {
    return this.http.json<RunnerJob>({ path: await this.job(jobId) });
  }

  /** All jobs, newest first; pages are fetched as they are needed. */
  async *listJobs(filter: JobFilter = {}): AsyncGenerator<RunnerJobSummary> {
    yield* this.pages<RunnerJobSummary>(await this.jobs(), {
      status: filter.status,
      kind: filter.kind,
      limit: filter.pageSize,
    });
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

  /** What a step wrote, as it comes; the newest attempt unless one is named. */
  async transcript(jobId: string, stepId: string, attempt?: number): Promise<ReadableStream<Uint8Array>> {
    return this.bytes(await this.job(jobId, `/steps/${encodeURIComponent(stepId)}/transcript`), { attempt });
  }

  async *artifacts(jobId: string): AsyncGenerator<Artifact> {
    yield* this.pages<Artifact>(await this.job(jobId, '/artifacts'), {});
  }

  /** The bytes of an artifact. Whoever keeps them compares their SHA-256 with the artifact's. */
  async artifactContent(jobId: string, artifactId: string): Promise<ReadableStream<Uint8Array>> {
    return this.bytes(await this.job(jobId, `/artifacts/${encodeURIComponent(artifactId)}/content`), {});
  }

  private async bytes(path: string, query: Record<string, number | undefined>): Promise<ReadableStream<Uint8Array>> {
    const response = await this.http.send({ path, query });
    return response.body ?? new Blob([]).stream();
  }

  private async *pages<Item>(path: string, query: Record<string, string | number | undefined>): AsyncGenerator<Item> {
    let cursor: string | undefined;
    do {
      const page: Page<Item> = await this.http.json<Page<Item>>({ path, query: { ...query, cursor } });
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  private async jobs(): Promise<string> {
    this.workspace ??= this.me().then((identity) => identity.workspaceId);
    // A look-up that failed is made again by the next call.
    this.workspace.catch(() => (this.workspace = undefined));
    return `/v1/workspaces/${encodeURIComponent(await this.workspace)}/runner-jobs`;
  }

  private async job(jobId: string, rest = ''): Promise<string> {
    return `${await this.jobs()}/${encodeURIComponent(jobId)}${rest}`;
  }
}
