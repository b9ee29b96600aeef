import pg from 'pg';
import { withDatabaseErrors } from './database-error.js';

/** A connection as the owner for the length of `use`. Meant for migrations and provisioning, never for serving. */
export async function withOwner<Result>(
  ownerUrl: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    application_name: 'runledger-owner',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  return withDatabaseErrors(async () => {
    try {
      await client.connect();
      return await use(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  });
}

/** Runs a script of any number of statements as the owner, in one transaction. */
export async function runOwnerSql(ownerUrl: string, script: string): Promise<void> {
  await withOwner(ownerUrl, async (client) => void (await client.query(script)));
}

/** Lets the runtime roles use everything in a schema that another library has migrated (the queue's), now and later. */
export async function grantQueueSchema(ownerUrl: string, schema: string): Promise<void> {
  const name = pg.escapeIdentifier(schema);
  const roles = 'runledger_api, runledger_worker';
  await runOwnerSql(
    ownerUrl,
    `GRANT USAGE ON SCHEMA ${name} TO ${roles};
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name} TO ${roles};
     GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA ${name} TO ${roles};
     GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ${name} TO ${roles};`,
  );
}
