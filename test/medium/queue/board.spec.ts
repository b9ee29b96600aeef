import { createBullBoard } from '@bull-board/api';
import Fastify from 'fastify';
import {
  QueueConsumer,
  QueueProducer,
  boardAdapters,
  migrateQueueSchema,
  type QueueConnection,
  type QueueRole,
} from '#queue';
import { createTestDatabase, describeWithRedis, startRedis } from '#testing';
import { BoardRoutes } from './board-routes.js';
import { Inbox } from './inbox.js';

interface Place {
  connection(role: QueueRole): QueueConnection;
  stop(): Promise<void>;
}

function showsTheQueues(open: () => Promise<Place>, datastore: string): void {
  it('answers over HTTP with counts, messages and the state of the server, and changes nothing', async () => {
    const place = await open();
    const producer = new QueueProducer(place.connection('runledger_api'));
    const consumer = new QueueConsumer(place.connection('runledger_worker'));
    const server = Fastify();
    const board = new BoardRoutes();
    createBullBoard({ queues: boardAdapters(producer), serverAdapter: board });
    board.mount(server);
    const url = await server.listen({ port: 0, host: '127.0.0.1' });
    try {
      const inbox = new Inbox();
      inbox.hold();
      await consumer.consume('runner', { concurrency: 1 }, inbox.handler);
      await producer.offer('runner', [{ id: 'running', payload: { jobId: 'j1', workspaceId: 'w' }, priority: 0 }]);
      await inbox.until(1);
      await producer.offer('runner', [{ id: 'waiting', payload: { jobId: 'j2', workspaceId: 'w' }, priority: 3 }]);

      const queues: unknown = await (
        await fetch(`${url}/api/queues?activeQueue=runner&status=prioritized&page=1&jobsPerPage=10`)
      ).json();
      expect(queues).toMatchObject({
        queues: [
          {
            name: 'runner',
            readOnlyMode: true,
            counts: { active: 1, prioritized: 1 },
            jobs: [{ id: 'waiting', data: { jobId: 'j2', workspaceId: 'w' } }],
          },
        ],
      });

      const stats: unknown = await (await fetch(`${url}/api/redis/stats`)).json();
      expect(JSON.stringify(stats)).toContain(datastore);

      const refused = await fetch(`${url}/api/queues/runner/pause`, { method: 'PUT' });
      expect(refused.status).toBe(405);
      inbox.release();
      await inbox.until(2);
    } finally {
      await server.close();
      await consumer.close(true);
      await producer.close();
      await place.stop();
    }
  });
}

describeWithRedis('the queue board on Redis', () =>
  showsTheQueues(async () => {
    const redis = await startRedis();
    return { connection: () => ({ backend: 'redis', url: redis.url }), stop: () => redis.stop() };
  }, 'version'),
);

describe('the queue board on PostgreSQL', () =>
  showsTheQueues(async () => {
    const database = await createTestDatabase({ empty: true });
    await migrateQueueSchema(database.ownerUrl);
    return {
      connection: (role) => ({
        backend: 'postgres',
        url: role === 'runledger_api' ? database.apiUrl : database.workerUrl,
        role,
      }),
      stop: () => database.drop(),
    };
  }, 'postgres'));
