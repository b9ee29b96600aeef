import { Database, withOwner } from '#database';
import { newId } from '#kernel';
import { parseJobDefinition, SubmitJob } from '#runner';
import { startRunnerSystem, until, type RunnerSystem } from './runner-system.js';

/** A runner's system with more than one workspace, and means to submit much and to see what is where. */
export interface AdmissionSystem extends RunnerSystem {
  addWorkspace(): Promise<string>;
  submitTo(workspaceId: string, definitions: object[]): Promise<string[]>;
  /** Ids of the jobs of this status, in the order in which they were admitted. */
  admitted(where?: string): Promise<string[]>;
  statusOf(jobId: string): Promise<string>;
  /** Resolves when no job of the system is left to do. */
  allOver(timeoutMs?: number): Promise<void>;
}

export async function startAdmissionSystem(environment: Record<string, string> = {}): Promise<AdmissionSystem> {
  const system = await startRunnerSystem(environment);
  const api = new Database({ url: system.database.apiUrl, role: 'api', poolSize: 4 });
  const submitJob = new SubmitJob(api);
  return {
    ...system,
    addWorkspace: async () => {
      const id = newId();
      const text = 'INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3)';
      await withOwner(system.database.ownerUrl, (client) => client.query(text, [id, 'Test', `test-${id}`]));
      return id;
    },
    submitTo: async (workspaceId, definitions) => {
      const ids: string[] = [];
      for (let start = 0; start < definitions.length; start += 500) {
        const parsed = definitions.slice(start, start + 500).map((definition) => parseJobDefinition(definition));
        const submitted = await submitJob.submitAll(workspaceId, { type: 'api_key', id: newId() }, parsed);
        ids.push(...submitted.map(({ state }) => state.id));
      }
      return ids;
    },
    admitted: async (where = 'true') =>
      (
        await system.sql(`SELECT id FROM runner_jobs WHERE queued_at IS NOT NULL AND ${where} ORDER BY queued_at, id`)
      ).map((row) => String(row['id'])),
    statusOf: async (jobId) =>
      String((await system.sql('SELECT status FROM runner_jobs WHERE id = $1', [jobId]))[0]?.['status']),
    allOver: async (timeoutMs = 30_000) => {
      const text = 'SELECT count(*)::int AS open FROM runner_jobs WHERE completed_at IS NULL';
      await until(async () => ((await system.sql(text))[0]?.['open'] === 0 ? true : null), timeoutMs);
    },
    close: async () => {
      await api.close();
      await system.close();
    },
  };
}

export const gateJob = (more: object = {}): object => ({
  ...{ name: 'gate', steps: [{ key: 'gate', type: 'GATE', condition: 'true' }] },
  ...more,
});

export const commandJob = (run: string, more: object = {}): object => ({
  ...{ name: 'command', steps: [{ key: 'command', type: 'COMMAND', run }] },
  ...more,
});
