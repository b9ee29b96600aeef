import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { loadConfig } from '#config';
import { withOwner } from '#database';
import { ALL_SCOPES, createApiKey, type Scope } from '#identity';
import { canonicalJson, type Json } from '#kernel';
import { QueueWorkers } from '#queue';
import { GateExecutor } from '../../../libs/runner/src/executors/gate.executor.js';
import { RunnerService } from '../../../apps/worker/src/runner.service.js';
import { WorkerModule } from '../../../apps/worker/src/worker.module.js';
import { finished, startApi, submit, type ApiSystem, type Tenant } from '../api/api-system.js';

export interface Answer {
  status: number;
  text: string;
  body: Record<string, never> & ApprovalBody & { code: string; state: string; detail: string };
}

export interface ApprovalBody {
  id: string;
  jobId: string;
  stepKey: string;
  status: string;
  scope: string;
  grants: number;
  expiresAt: string;
  decidedAt: string | null;
  replacesId: string | null;
  subject: {
    summary: string | null;
    digest: string;
    files: { count: number; sizeBytes: number; sha256: string; listed: { path: string; sha256: string }[] } | null;
    artifacts: { listed: { version: number; sha256: string }[] } | null;
    command: { sha256: string; run: string; values: { expression: string; value: string }[] } | null;
    definition: { sha256: string } | null;
  };
  decisions: { decision: string; comment: string | null; actor: { id: string; name: string }; subjectDigest: string }[];
}

export interface Event {
  seq: number;
  type: string;
  actorType: string;
  actorId: string;
  payload: { [name: string]: Json };
}

export interface ApprovalSystem {
  api: ApiSystem;
  tenant: Tenant;
  /** A key of the tenant, with a name of its own. */
  key(name: string, more?: { roles?: string[]; scopes?: Scope[] }): Promise<string>;
  submit(definition: object): Promise<string>;
  /** The approval that the job waits for, once it does. */
  pending(jobId: string): Promise<ApprovalBody>;
  get(path: string, key?: string): Promise<Answer & { body: { items: ApprovalBody[]; nextCursor: string | null } }>;
  decide(approvalId: string, decision: 'grant' | 'reject', key: string, comment?: string): Promise<Answer>;
  /** Waits until no worker holds the job. */
  parked(jobId: string): Promise<void>;
  ended(jobId: string): Promise<Ended>;
  /** The gate's executor in the worker, whose `execute` a test may stand in front of. */
  gate: GateExecutor;
  close(): Promise<void>;
}

export interface Ended {
  status: string;
  error: { code: string; message: string } | null;
  gate: { status: string; outputs: Json; error: { code: string } | null };
  events: Event[];
  types: string[];
}

/** The API, a worker and a tenant; `approvals` is the path of the tenant's approvals. */
export async function startApprovals(environment: Record<string, string> = {}): Promise<ApprovalSystem> {
  const api = await startApi(environment);
  const tenant = await api.tenant();
  const path = tenant.jobs.replace('runner-jobs', 'approvals');
  const config = loadConfig({
    DATABASE_URL: api.database.workerUrl,
    DATA_DIR: api.dataDir,
    SANDBOX: 'process',
    LOG_LEVEL: 'silent',
    RUNNER_RECONCILE_MS: '200',
    ...environment,
  });
  const worker = await NestFactory.createApplicationContext(WorkerModule.forRoot(config, ['runner']), {
    logger: false,
  });
  await worker.get(RunnerService).start();
  await worker.get(QueueWorkers).start(['runner']);

  const get: ApprovalSystem['get'] = async (suffix, key = tenant.key) => {
    const answer = await api.http().get(`${path}${suffix}`).auth(key, { type: 'bearer' });
    return { status: answer.status, text: answer.text, body: answer.body };
  };
  const pending = (jobId: string): Promise<ApprovalBody> =>
    until(async () => (await get(`?jobId=${jobId}`)).body.items[0] ?? null);
  const events = async (jobId: string): Promise<Event[]> => {
    const answer = await api
      .http()
      .get(`${tenant.jobs}/${jobId}/events?limit=500`)
      .auth(tenant.key, { type: 'bearer' });
    return answer.body.items;
  };
  return {
    ...{ api, tenant, get, pending, gate: worker.get(GateExecutor, { strict: false }) },
    key: (name, more = {}) =>
      withOwner(api.database.ownerUrl, (client) =>
        createApiKey(client, {
          workspaceId: tenant.workspaceId,
          name,
          scopes: more.scopes ?? ALL_SCOPES,
          roles: more.roles ?? [],
        }),
      ).then(({ secret }) => secret),
    submit: async (definition) => (await submit(api, tenant, definition)).id,
    decide: async (id, decision, key, comment) => {
      const sent = api.http().post(`${path}/${id}/${decision}`).auth(key, { type: 'bearer' });
      const answer = await (comment === undefined ? sent : sent.send({ comment }));
      return { status: answer.status, text: answer.text, body: answer.body };
    },
    parked: async (jobId) =>
      void (await until(async () => {
        const [row] = await api.asOwner('SELECT parked_at, lease_owner FROM runner_jobs WHERE id = $1', [jobId]);
        return row?.['parked_at'] === null ? null : (row ?? null);
      })),
    ended: async (jobId) => {
      await finished(api, tenant, jobId);
      const answer = await api.http().get(`${tenant.jobs}/${jobId}`).auth(tenant.key, { type: 'bearer' });
      const job: { status: string; error: Ended['error']; steps: ({ type: string } & Ended['gate'])[] } = answer.body;
      const found = await events(jobId);
      const gate = job.steps.find((step) => step.type === 'GATE');
      if (gate === undefined) throw new Error('the job has no gate');
      const verified = await api.http().get(`${tenant.jobs}/${jobId}/verify`).auth(tenant.key, { type: 'bearer' });
      if (verified.body.valid !== true || verified.body.fold.matches !== true)
        throw new Error(`the ledger does not verify: ${verified.text}`);
      return { status: job.status, error: job.error, gate, events: found, types: found.map((event) => event.type) };
    },
    close: async () => {
      const paused = worker.get(QueueWorkers).pause();
      await worker.get(RunnerService).stop(0);
      await paused;
      await worker.close();
      await api.close();
    },
  };
}

/** A job that is nothing but a gate. */
export function gateJob(approval: object = {}, more: object = {}): object {
  const gate = { key: 'gate', type: 'GATE', approval: { scope: 'deploy.production', ...approval }, ...more };
  return { name: 'gate', steps: [gate] };
}

/** Where the commands of a job work. */
export function workdirOf(system: ApprovalSystem, jobId: string): string {
  return join(system.api.dataDir, 'workdirs', jobId);
}

/** As anybody may compute it. */
export function digestOf(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

export async function until<Value>(ask: () => Promise<Value | null>, timeoutMs = 20_000): Promise<Value> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline;) {
    const value = await ask();
    if (value !== null) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not so within ${timeoutMs} ms`);
}
