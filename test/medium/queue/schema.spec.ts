import pg from 'pg';
import { QueueConsumer, QueueProducer, migrateQueueSchema } from '#queue';
import { createTestDatabase, type TestDatabase } from '#testing';
import { Inbox } from './inbox.js';

describe('the queue schema', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
  });

  afterEach(() => database.drop());

  const attempt = async (url: string, sql: string): Promise<string> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(sql);
      return 'allowed';
    } catch (error) {
      return error instanceof pg.DatabaseError && error.code === '42501' ? 'denied' : String(error);
    } finally {
      await client.end();
    }
  };

  it('is named when it is missing, and is used once it is there', async () => {
    const producer = new QueueProducer({ backend: 'postgres', url: database.apiUrl, role: 'runledger_api' });
    await expect(producer.ping()).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: expect.stringContaining('is not initialized'),
    });
    await migrateQueueSchema(database.ownerUrl);
    await producer.ping();
    await producer.close();
  });

  it('can be migrated again, and by several processes at once', async () => {
    await Promise.all([
      migrateQueueSchema(database.ownerUrl),
      migrateQueueSchema(database.ownerUrl),
      migrateQueueSchema(database.ownerUrl),
    ]);
    await migrateQueueSchema(database.ownerUrl);
    const producer = new QueueProducer({ backend: 'postgres', url: database.apiUrl, role: 'runledger_api' });
    await producer.offer('runner', [{ id: 'a', payload: { jobId: 'j', workspaceId: 'w' }, priority: 0 }]);
    await migrateQueueSchema(database.ownerUrl);
    expect(await producer.depth('runner')).toEqual({ waiting: 1, active: 0 });
    await producer.close();
  });

  it('lets each role do its part and no more', async () => {
    await migrateQueueSchema(database.ownerUrl);
    const producer = new QueueProducer({ backend: 'postgres', url: database.apiUrl, role: 'runledger_api' });
    const consumer = new QueueConsumer({ backend: 'postgres', url: database.workerUrl, role: 'runledger_worker' });
    const inbox = new Inbox();
    await consumer.consume('runner', { concurrency: 5 }, async (payload, context) => {
      await inbox.handler(payload, context);
      if (context.queueJobId === 'o_3') throw new Error('a failure is kept, which is another path through the schema');
    });
    const offers = Array.from({ length: 600 }, (_, index) => ({
      id: `o_${index}`,
      payload: { jobId: 'j', workspaceId: 'w' },
      priority: index % 10,
    }));
    await producer.offer('runner', offers.slice(0, 5));
    await producer.offer('runner', offers.slice(5));
    await inbox.until(600);
    await consumer.pause();
    expect(await producer.states('runner', ['o_3', 'o_4'])).toEqual(
      new Map([
        ['o_3', 'finished'],
        ['o_4', 'missing'],
      ]),
    );
    await consumer.close();
    await producer.close();

    for (const sql of [
      'UPDATE bullmq.job SET priority = 0',
      'DELETE FROM bullmq.job',
      `INSERT INTO bullmq.meta VALUES ('runner', 'paused', '1')`,
      'TRUNCATE bullmq.job',
    ]) {
      expect([sql, await attempt(database.apiUrl, sql)]).toEqual([sql, 'denied']);
    }
    for (const sql of [
      'UPDATE bullmq.migration SET version = 99',
      'CREATE TABLE bullmq.mine ()',
      'DROP TABLE bullmq.job',
    ]) {
      const answer = await attempt(database.workerUrl, sql);
      expect([sql, answer]).toEqual([sql, 'denied']);
    }
  });
});
