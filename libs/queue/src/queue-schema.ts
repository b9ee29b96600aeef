import { runMigrations } from 'bullmq';
import pg from 'pg';
import { QUEUE_SCHEMA } from './postgres-backend.js';
import { EVENTS_KEPT } from './queue-backend.js';
import { QUEUE_NAMES } from './queues.js';

/** Rights of the runtime roles on BullMQ's tables; its functions run with the rights of whoever calls them. */
const GRANTS = [
  `GRANT USAGE ON SCHEMA ${QUEUE_SCHEMA} TO runledger_api, runledger_worker`,
  // What is added is announced in the event table, which trims itself as it goes.
  `GRANT SELECT ON ALL TABLES IN SCHEMA ${QUEUE_SCHEMA} TO runledger_api, runledger_worker`,
  `GRANT INSERT ON ${QUEUE_SCHEMA}.job TO runledger_api`,
  `GRANT INSERT, DELETE ON ${QUEUE_SCHEMA}.event TO runledger_api`,
  `GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${QUEUE_SCHEMA} TO runledger_worker`,
  `REVOKE INSERT, UPDATE, DELETE ON ${QUEUE_SCHEMA}.migration FROM runledger_worker`,
  `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${QUEUE_SCHEMA} TO runledger_api, runledger_worker`,
];

/**
 * Brings BullMQ's PostgreSQL schema up to date and gives the runtime roles what they need, as the owner of the database.
 * May be run at any time, any number of times. The roles must exist.
 * @throws whatever the server refuses, and when the schema was made by a newer major version of BullMQ
 */
export async function migrateQueueSchema(ownerUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await runMigrations(client, QUEUE_SCHEMA);
    await client.query('BEGIN');
    await prepareQueues(client);
    for (const grant of GRANTS) await client.query(grant);
    // A bulk insert goes through a temporary table.
    await client.query(
      `DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO runledger_api, runledger_worker', current_database()); END $$`,
    );
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

/** Does what BullMQ's producers would do on first use, so that they need no right to do it. */
async function prepareQueues(client: pg.Client): Promise<void> {
  for (const queue of QUEUE_NAMES) {
    await client.query(
      `INSERT INTO ${QUEUE_SCHEMA}.meta (queue, field, value) VALUES ($1, 'opts.maxLenEvents', $2)
       ON CONFLICT (queue, field) DO UPDATE SET value = excluded.value`,
      [queue, EVENTS_KEPT],
    );
    await client.query(
      `DO $$ BEGIN EXECUTE format('CREATE SEQUENCE IF NOT EXISTS ${QUEUE_SCHEMA}.%I', ${QUEUE_SCHEMA}.job_id_seq_name('${queue}')); END $$`,
    );
  }
}
