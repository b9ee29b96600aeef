import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateQueueSchema } from '#queue';
import { createTestDatabase, type TestDatabase } from '#testing';
import { processesOf } from '../processes.js';
import { runProgram } from './system-fixture.js';

/** Nobody listens on port 1. */
const NO_DATABASE = 'postgres://runledger:hunter2@127.0.0.1:1/none';
const NO_REDIS = 'redis://:hunter2@127.0.0.1:1';

const PROGRAMS: [name: string, args: string[]][] = [
  ['the API', ['dist/apps/api/src/main.js']],
  ['a worker', ['dist/apps/worker/src/main.js', '--queues', 'runner']],
  ['runledger start', ['bin/runledger.mjs', 'start', '--port', '0']],
];

describe('a start without', () => {
  let database: TestDatabase;
  let dataDir: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    await migrateQueueSchema(database.ownerUrl);
    dataDir = await mkdtemp(join(tmpdir(), 'runledger-refused-'));
  });
  afterAll(async () => {
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const refusal = async (args: string[], env: Record<string, string>, about: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await runProgram(args, {
      DATA_DIR: dataDir,
      SANDBOX: 'process',
      PORT: '0',
      ...env,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(about)]);
    expect(stderr).not.toMatch(/hunter2|    at /);
    expect(processesOf(dataDir)).toEqual([]);
  };

  it.each(PROGRAMS)('a database: %s says so in one line', async (_, args) => {
    await refusal(args, { DATABASE_URL: NO_DATABASE }, /PostgreSQL at 127\.0\.0\.1:1 .*ECONNREFUSED.*DATABASE_URL/);
  });

  it.each(PROGRAMS)('a queue: %s says so in one line', async (_, args) => {
    await refusal(
      args,
      { DATABASE_URL: database.ownerUrl, REDIS_URL: NO_REDIS },
      /Redis at 127\.0\.0\.1:1 .*ECONNREFUSED.*REDIS_URL/,
    );
  });
});
