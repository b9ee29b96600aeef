import { Database, withOwner } from '#database';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import { insertJob, insertWorkspace } from './rows.js';

let test: TestDatabase;
let api: Database;
let worker: Database;
let mine: { workspaceId: string; jobId: string };
let theirs: { workspaceId: string; jobId: string };

beforeAll(async () => {
  test = await createTestDatabase();
  api = new Database({ url: test.apiUrl, role: 'api', poolSize: 4 });
  worker = new Database({ url: test.workerUrl, role: 'worker', poolSize: 4 });
  [mine, theirs] = await withOwner(test.ownerUrl, async (client) => {
    const make = async (): Promise<typeof mine> => {
      const workspaceId = await insertWorkspace(client);
      return { workspaceId, jobId: await insertJob(client, workspaceId) };
    };
    return [await make(), await make()];
  });
});

afterAll(async () => {
  await Promise.all([api.close(), worker.close()]);
  await test.drop();
});

const jobIds = async (client: { query(text: string): Promise<{ rows: unknown[] }> }): Promise<unknown> =>
  (await client.query('SELECT id FROM runner_jobs')).rows;

/** Ends every connection of the application on the server's side. */
async function killConnections(applicationName: string): Promise<number> {
  return withOwner(test.ownerUrl, async (client) => {
    const { rowCount } = await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = $2',
      [applicationName, test.name],
    );
    return rowCount ?? 0;
  });
}

it('runs SQL and Prisma as one tenant, and as nobody outside', async () => {
  expect(await api.tenant(mine.workspaceId, jobIds)).toEqual([{ id: mine.jobId }]);
  expect(
    await api.tenantPrisma(theirs.workspaceId, (prisma) => prisma.runnerJob.findMany({ select: { id: true } })),
  ).toEqual([{ id: theirs.jobId }]);
  expect(await api.query('SELECT id FROM runner_jobs')).toEqual([]);
  expect(await api.prisma.runnerJob.count()).toBe(0);
  expect(await api.transaction(jobIds)).toEqual([]);
  expect(await worker.prisma.runnerJob.count()).toBe(2);
});

it('sends statements that do not wait for each other as one tenant, all or nothing', async () => {
  const [ids, ones] = await api.tenantQueries<[{ id: string }, { one: number }]>(mine.workspaceId, [
    { text: 'SELECT id FROM runner_jobs' },
    { name: 'one', text: 'SELECT $1::int AS one', values: [1] },
  ]);
  expect([ids, ones]).toEqual([[{ id: mine.jobId }], [{ one: 1 }]]);

  const count = { text: 'SELECT count(*)::int AS n FROM job_steps' };
  const step = `INSERT INTO job_steps (id, workspace_id, job_id, ordinal, key, name, phase, type) VALUES (gen_random_uuid(), '${mine.workspaceId}', '${mine.jobId}', 99, 'lost', 'lost', 'SETUP', 'GATE')`;
  const broken = api.tenantQueries(mine.workspaceId, [{ text: step }, { text: 'SELECT 1 / 0' }, count]);
  await expect(broken).rejects.toMatchObject({ code: '22012' });
  expect(await api.tenantQuery(mine.workspaceId, count)).toEqual([{ n: 0 }]);
  // The connections go on to work, and for nobody in particular.
  await Promise.all(
    Array.from({ length: 8 }, () => expect(api.query('SELECT id FROM runner_jobs')).resolves.toEqual([])),
  );
});

it('never mixes tenants on pooled connections, however they interleave', async () => {
  const seen = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const tenant = index % 2 === 0 ? mine : theirs;
      if (index % 5 === 4) return api.query('SELECT id FROM runner_jobs').then((rows) => rows.length === 0);
      if (index % 3 === 0)
        return api
          .tenantPrisma(tenant.workspaceId, (prisma) => prisma.runnerJob.findMany())
          .then((rows) => rows.length === 1 && rows[0]?.id === tenant.jobId);
      return api
        .tenant(tenant.workspaceId, jobIds)
        .then((rows) => JSON.stringify(rows) === JSON.stringify([{ id: tenant.jobId }]));
    }),
  );
  expect(seen).toEqual(Array.from({ length: 60 }, () => true));
});

it('rolls back what fails and gives the connection back', async () => {
  for (let round = 0; round < 10; round += 1) {
    const attempt = worker.transaction(async (client) => {
      await client.query('UPDATE runner_jobs SET priority = 0 WHERE id = $1', [mine.jobId]);
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
  }
  expect(await worker.query('SELECT priority FROM runner_jobs WHERE id = $1', [mine.jobId])).toEqual([{ priority: 5 }]);
});

it('refuses a workspace id that is none', async () => {
  const run = async (): Promise<void> => undefined;
  for (const id of ['', "x'; DROP TABLE runner_jobs; --", '0']) {
    await expect(api.tenant(id, run)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(api.tenantQuery(id, { text: 'SELECT 1' })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(api.tenantPrisma(id, run)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  }
  expect(await api.tenant(newId(), jobIds)).toEqual([]);
});

it('becomes the role also when it logs in as somebody else', async () => {
  const database = new Database({
    url: `${test.ownerUrl}?options=-c%20work_mem%3D5MB`,
    role: 'worker',
    applicationName: 'as-owner',
    statementTimeoutMs: 1_234,
  });
  try {
    const rows = await database.query(
      "SELECT current_user AS who, current_setting('work_mem') AS memory, current_setting('statement_timeout') AS timeout, current_setting('application_name') AS name",
    );
    expect(rows).toEqual([{ who: 'runledger_worker', memory: '5MB', timeout: '1234ms', name: 'as-owner' }]);
    await expect(database.query('DELETE FROM runner_jobs')).rejects.toMatchObject({ code: '42501' });
  } finally {
    await database.close();
  }
});

it('says what to do where the server refuses the connection', async () => {
  const open = (url: string): Database => new Database({ url, role: 'api' });
  const missing = new URL(test.apiUrl);
  missing.pathname = '/no_such_database';
  const cases: [Database, string][] = [
    [open(missing.href), 'create the database'],
    [open(test.workerUrl), 'GRANT runledger_api, runledger_worker'],
  ];
  for (const [database, advice] of cases) {
    await expect(database.ping()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      retryable: false,
      message: expect.stringContaining(advice),
    });
    await database.close();
  }
});

it('survives the loss of all its connections', async () => {
  const database = new Database({ url: test.workerUrl, role: 'worker', applicationName: 'unlucky', poolSize: 3 });
  try {
    await Promise.all([1, 2, 3].map(() => database.ping()));
    expect(await killConnections('unlucky')).toBeGreaterThan(0);
    // Within a transaction, lent and idle: the loss is an error of this call, not of the process.
    const attempt = database.transaction(async (client) => {
      await client.query('SELECT 1');
      await killConnections('unlucky');
      await client.query('SELECT 1');
    });
    await expect(attempt).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    await database.ping();
    expect(await database.prisma.runnerJob.count()).toBe(2);
  } finally {
    await database.close();
  }
});

it('says that the database is unavailable, whichever way it is asked', async () => {
  const unavailable = { code: 'DATABASE_UNAVAILABLE', retryable: true };
  const nowhere = new Database({ url: 'postgres://runledger_api@127.0.0.1:1/none', role: 'api' });
  await expect(nowhere.ping()).rejects.toMatchObject(unavailable);
  await expect(nowhere.tenant(newId(), jobIds)).rejects.toMatchObject(unavailable);
  await expect(nowhere.tenantPrisma(newId(), (prisma) => prisma.runnerJob.count())).rejects.toMatchObject(unavailable);
  await expect(nowhere.listen('x', () => undefined)).rejects.toMatchObject(unavailable);
  await nowhere.close();
  await expect(nowhere.ping()).rejects.toMatchObject(unavailable);

  const full = new Database({ url: test.apiUrl, role: 'api', poolSize: 1, statementTimeoutMs: 50 });
  // The statement's own timeout is no trouble of the connection.
  await expect(full.query('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: '57014' });
  await full.close();
});

describe('listen', () => {
  it('hears what is sent on its channels, on one connection', async () => {
    const database = new Database({ url: test.apiUrl, role: 'api', applicationName: 'listening' });
    const heard: string[] = [];
    const all = new Promise<void>((resolve) => {
      const hear = (payload: string): void => void (heard.push(payload) === 3 && resolve());
      void Promise.all([
        database.listen('one', hear),
        database.listen('two', hear),
        database.listen('one', (payload) => hear(`also ${payload}`)),
      ]).then(async () => {
        await worker.query("SELECT pg_notify('one', 'a'), pg_notify('two', 'b'), pg_notify('three', 'c')");
      });
    });
    await all;
    expect(heard.sort()).toEqual(['a', 'also a', 'b']);
    expect(await killConnections('listening')).toBe(1);
    await database.close();
  });

  it('comes back after the connection was lost, and says so', async () => {
    const database = new Database({ url: test.apiUrl, role: 'api', applicationName: 'deaf' });
    let told: (() => void) | undefined;
    const reconnected = new Promise<void>((resolve) => (told = resolve));
    let hear: ((payload: string) => void) | undefined;
    const heard = new Promise<string>((resolve) => (hear = resolve));
    await database.listen(
      'events',
      (payload) => hear?.(payload),
      () => told?.(),
    );
    expect(await killConnections('deaf')).toBe(1);
    await reconnected;
    await worker.query("SELECT pg_notify('events', 'again')");
    expect(await heard).toBe('again');
    await database.close();
  });

  it('stops hearing when it is closed, and no sooner', async () => {
    const database = new Database({ url: test.apiUrl, role: 'api' });
    const heard: string[] = [];
    const first = await database.listen('events', (payload) => void heard.push(`first ${payload}`));
    let last: (() => void) | undefined;
    const done = new Promise<void>((resolve) => (last = resolve));
    await database.listen('events', (payload) => void (heard.push(`second ${payload}`), payload === 'end' && last?.()));
    await first.close();
    await worker.query("SELECT pg_notify('events', 'end')");
    await done;
    expect(heard).toEqual(['second end']);
    await database.close();
  });
});
