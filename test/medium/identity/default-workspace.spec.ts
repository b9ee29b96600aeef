import { Database, withOwner } from '#database';
import { ALL_SCOPES, ApiKeys, createApiKey, ensureDefaultWorkspace } from '#identity';
import { createTestDatabase, type TestDatabase } from '#testing';

describe('the first start', () => {
  let database: TestDatabase;
  let asApi: Database;
  beforeAll(async () => {
    database = await createTestDatabase();
    asApi = new Database({ url: database.apiUrl, role: 'api', poolSize: 2 });
  });
  afterAll(async () => {
    await asApi.close();
    await database.drop();
  });

  it('makes one workspace and shows one key once, however many start at the same time', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureDefaultWorkspace(database.ownerUrl)));
    expect(new Set(made.map((workspace) => workspace.id)).size).toBe(1);
    const secrets = made.flatMap((workspace) => workspace.apiKey ?? []);
    expect(secrets).toHaveLength(1);
    expect(await ensureDefaultWorkspace(database.ownerUrl)).toEqual({ id: made[0]?.id, name: 'default', apiKey: null });
    const key = await new ApiKeys(asApi).authenticate(secrets[0] ?? '');
    expect(key).toMatchObject({ workspaceId: made[0]?.id, workspaceName: 'default', scopes: ALL_SCOPES });
  });

  it('stores nothing from which the key could be had', async () => {
    const [row] = await withOwner(
      database.ownerUrl,
      async (client) => (await client.query<Record<string, unknown>>('SELECT * FROM api_keys')).rows,
    );
    expect(row).toMatchObject({
      prefix: expect.stringMatching(/^rl_live_.{4}$/),
      key_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(
      Object.values(row ?? {}).filter((value) => typeof value === 'string' && value.startsWith('rl_live_')),
    ).toEqual([row?.['prefix']]);
  });

  it('leaves the API no way to read or make keys', async () => {
    for (const statement of [
      "INSERT INTO api_keys (id, workspace_id, name, prefix, key_hash) SELECT gen_random_uuid(), gen_random_uuid(), 'x', 'x', repeat('0', 64)",
      'UPDATE api_keys SET revoked_at = NULL',
    ]) {
      await expect(asApi.query(statement)).rejects.toThrow(/permission denied/);
    }
    expect(await asApi.query('SELECT * FROM api_keys')).toEqual([]);
  });

  it('asks once for all who come at the same time, and anew for who comes later', async () => {
    const workspace = await withOwner(
      database.ownerUrl,
      async (client) => (await client.query<{ id: string }>('SELECT id FROM workspaces')).rows[0]?.id ?? '',
    );
    const key = await withOwner(database.ownerUrl, (client) =>
      createApiKey(client, { workspaceId: workspace, name: 'many', scopes: ['jobs:read'] }),
    );
    const keys = new ApiKeys(asApi);
    const statements = countAcquired(asApi);
    await Promise.all(Array.from({ length: 100 }, () => keys.authenticate(key.secret)));
    expect(statements()).toBeLessThanOrEqual(3);
    await withOwner(database.ownerUrl, (client) =>
      client.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [key.id]),
    );
    await expect(keys.authenticate(key.secret)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

/** Counts the connections taken from the pool: one per look-up. */
function countAcquired(database: Database): () => number {
  let count = 0;
  database.pool.on('acquire', () => (count += 1));
  return () => count;
}
