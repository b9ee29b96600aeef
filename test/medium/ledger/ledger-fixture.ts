import { Database, withOwner, type DatabaseClient } from '#database';
import { newId } from '#kernel';
import {
  GENESIS_HEAD,
  INSERT_EVENTS_COLUMNS,
  INSERT_EVENTS_RECORD,
  INSERT_EVENTS_SELECT,
  EventQueries,
  eventRow,
  sealEvents,
  type ChainHead,
  type NewEvent,
} from '#ledger';
import { createTestDatabase } from '#testing';

/** Jobs with nothing but a ledger, on real tables. */
export interface LedgerFixture {
  events: EventQueries;
  workspaceId: string;
  /** Makes a job with one step and appends the events that `describe` gives for it. */
  job(describe: (stepId: string) => NewEvent[]): Promise<StoredJob>;
  append(job: StoredJob, events: NewEvent[]): Promise<StoredJob>;
  /** As a superuser for whom no trigger and no foreign key is in the way. */
  tamper(sql: string, values: unknown[]): Promise<void>;
  owner<Result>(use: (client: DatabaseClient) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

export interface StoredJob {
  id: string;
  stepId: string;
  head: ChainHead;
}

export async function openLedger(): Promise<LedgerFixture> {
  const testDatabase = await createTestDatabase();
  const owner: LedgerFixture['owner'] = (use) => withOwner(testDatabase.ownerUrl, use);
  const worker = new Database({ url: testDatabase.workerUrl, role: 'worker', poolSize: 2 });
  const api = new Database({ url: testDatabase.apiUrl, role: 'api', poolSize: 4 });
  const workspaceId = newId();
  await owner((client) =>
    client.query(`INSERT INTO workspaces (id, name, slug) VALUES ($1, 'Test', 'test')`, [workspaceId]),
  );

  const append = async (job: StoredJob, events: NewEvent[]): Promise<StoredJob> => {
    const sealed = sealEvents(job.head, job.id, workspaceId, events);
    await worker.query(APPEND, [
      JSON.stringify(sealed.events.map(eventRow)),
      job.id,
      sealed.head.seq,
      sealed.head.hash,
    ]);
    return { ...job, head: sealed.head };
  };

  return {
    events: new EventQueries(api),
    workspaceId,
    job: async (describe) => {
      const job = { id: newId(), stepId: newId(), head: GENESIS_HEAD };
      await owner((client) => client.query(INSERT_JOB, [job.id, workspaceId, job.stepId]));
      return append(job, describe(job.stepId));
    },
    append,
    tamper: (sql, values) =>
      owner(async (client) => {
        await client.query('ALTER TABLE job_events DISABLE TRIGGER ALL');
        await client.query(sql, values);
      }),
    owner,
    close: async () => {
      await Promise.all([worker.close(), api.close()]);
      await testDatabase.drop();
    },
  };
}

/** Events and head in one statement, as the engine writes them. */
const APPEND = `
WITH moved AS (
  UPDATE runner_jobs SET head_seq = $3, head_hash = $4 WHERE id = $2
)
INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($1::jsonb) AS ${INSERT_EVENTS_RECORD}`;

const INSERT_JOB = `
WITH job AS (
  INSERT INTO runner_jobs (id, workspace_id, name, definition, created_by_type, created_by_id)
  VALUES ($1, $2, 'test', '{}', 'system', 'test')
)
INSERT INTO job_steps (id, workspace_id, job_id, ordinal, key, name, phase, type)
VALUES ($3, $2, $1, 0, 'only', 'Only', 'EXECUTION', 'COMMAND')`;
