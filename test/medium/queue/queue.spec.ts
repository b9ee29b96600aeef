import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { AppError } from '#kernel';
import { QueueConsumer, QueueProducer, type MessageHandler, type Offer, type QueueConnection } from '#queue';
import { describeWithRedis } from '#testing';
import { freePort, postgresBackend, redisBackend, type TestBackend } from './backends.js';
import { Inbox } from './inbox.js';

const offer = (id: string, priority = 5): Offer<'runner'> => ({
  id,
  payload: { jobId: `job-of-${id}`, workspaceId: 'w' },
  priority,
});

/** Asks again until the answer is right; the test's own time limit ends it. */
async function eventually<Answer>(ask: () => Promise<Answer>, isRight: (answer: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function behavesAsAQueue(openBackend: () => Promise<TestBackend>): void {
  let backend: TestBackend;
  let producer: QueueProducer;
  let consumers: QueueConsumer[] = [];

  const serve = async (handler: MessageHandler<'runner'>, concurrency = 10): Promise<QueueConsumer> => {
    const consumer = new QueueConsumer(backend.connection('runledger_worker'));
    consumers.push(consumer);
    await consumer.consume('runner', { concurrency }, handler);
    return consumer;
  };
  const state = async (id: string) => (await producer.states('runner', [id])).get(id);

  beforeAll(async () => {
    backend = await openBackend();
  }, 60_000);

  beforeEach(() => {
    producer = new QueueProducer(backend.connection('runledger_api'));
  });

  afterEach(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close(true)));
    consumers = [];
    await producer.close();
    await backend.forget();
  });

  afterAll(() => backend.stop());

  it('hands each offer with its payload to a handler', async () => {
    const inbox = new Inbox();
    await serve(inbox.handler);
    await producer.offer('runner', [offer('a'), offer('b')]);
    await inbox.until(2);
    expect(inbox.received.sort((x, y) => x.queueJobId.localeCompare(y.queueJobId))).toEqual([
      { queueJobId: 'a', jobId: 'job-of-a' },
      { queueJobId: 'b', jobId: 'job-of-b' },
    ]);
  });

  it('leaves messages to others while one of them says that it cannot follow them', async () => {
    const [cutOff, well] = [new Inbox(), new Inbox()];
    const resting = await serve(cutOff.handler);
    await producer.offer('runner', [offer('a')]);
    await cutOff.until(1);
    let able = false;
    const rested = resting.rest(async () => able);
    const other = await serve(well.handler, 1);
    // The rest begins with the next fetch: what came before it is not counted.
    await producer.offer('runner', [offer('b'), offer('c')]);
    await eventually(
      async () => cutOff.received.length + well.received.length,
      (count) => count === 3,
    );
    const seen = cutOff.received.length;
    await producer.offer(
      'runner',
      ['d', 'e', 'f', 'g'].map((id) => offer(id)),
    );
    await eventually(
      async () => well.received.length,
      (count) => count === 7 - seen,
    );
    expect(cutOff.received).toHaveLength(seen);

    await other.close(true);
    able = true;
    await rested;
    await producer.offer('runner', [offer('h')]);
    await cutOff.until(seen + 1);
  });

  it('takes 500 offers and answers for 500 at once', async () => {
    const ids = Array.from({ length: 500 }, () => `${randomUUID()}_1`);
    await producer.offer(
      'runner',
      ids.map((id) => offer(id)),
    );
    expect(await producer.depth('runner')).toEqual({ waiting: 500, active: 0 });
    const states = await producer.states('runner', [...ids, 'nobody']);
    expect(ids.filter((id) => states.get(id) !== 'waiting')).toEqual([]);
    expect(states.get('nobody')).toBe('missing');
    const inbox = new Inbox();
    await serve(inbox.handler, 50);
    await inbox.until(500);
    expect(new Set(inbox.ids)).toEqual(new Set(ids));
  });

  it('ignores an id that is waiting already, alone or in a batch', async () => {
    const many = Array.from({ length: 20 }, (_, index) => offer(`n${index}`));
    await producer.offer('runner', [offer('twice')]);
    await producer.offer('runner', [offer('twice')]);
    await producer.offer('runner', [offer('twice'), ...many]);
    expect(await producer.depth('runner')).toEqual({ waiting: 21, active: 0 });
    const inbox = new Inbox();
    await serve(inbox.handler);
    await inbox.until(21);
    expect(inbox.ids.filter((id) => id === 'twice')).toHaveLength(1);
  });

  it('ignores an id that is being worked on, and takes it again when that is over', async () => {
    const inbox = new Inbox();
    inbox.hold();
    await serve(inbox.handler);
    await producer.offer('runner', [offer('again')]);
    await inbox.until(1);
    await producer.offer('runner', [offer('again')]);
    expect(await producer.depth('runner')).toEqual({ waiting: 0, active: 1 });
    inbox.release();
    await eventually(
      () => state('again'),
      (now) => now === 'missing',
    );
    await producer.offer('runner', [offer('again')]);
    await inbox.until(2);
  });

  it('knows what waits, runs, has failed and is gone', async () => {
    const inbox = new Inbox();
    inbox.hold();
    await serve(async (payload, context) => {
      await inbox.handler(payload, context);
      if (context.queueJobId === 'bad') throw new AppError('INTERNAL', 'on purpose');
    }, 2);
    await producer.offer('runner', [offer('good'), offer('bad')]);
    await inbox.until(2);
    await producer.offer('runner', [offer('later')]);
    expect(await producer.states('runner', ['good', 'bad', 'later', 'never'])).toEqual(
      new Map([
        ['good', 'active'],
        ['bad', 'active'],
        ['later', 'waiting'],
        ['never', 'missing'],
      ]),
    );
    inbox.release();
    await inbox.until(3);
    await eventually(
      () => producer.depth('runner'),
      ({ active }) => active === 0,
    );
    expect(await producer.states('runner', ['good', 'bad', 'later'])).toEqual(
      new Map([
        ['good', 'missing'],
        ['bad', 'finished'],
        ['later', 'missing'],
      ]),
    );
    expect(inbox.ids.filter((id) => id === 'bad')).toHaveLength(1);
  });

  it('takes priority 0 first, and the oldest of one priority first', async () => {
    const offers = [9, 0, 5, 1, 9, 0, 5, 1].map((priority, index) => offer(`p${priority}-${index}`, priority));
    for (const one of offers) await producer.offer('runner', [one]);
    const inbox = new Inbox();
    await serve(inbox.handler, 1);
    await inbox.until(8);
    expect(inbox.ids).toEqual(['p0-1', 'p0-5', 'p1-3', 'p1-7', 'p5-2', 'p5-6', 'p9-0', 'p9-4']);
  });

  it('takes nothing more once it is paused, and waits for what runs', async () => {
    const inbox = new Inbox();
    inbox.hold();
    const consumer = await serve(inbox.handler, 1);
    await producer.offer('runner', [offer('running')]);
    await inbox.until(1);
    let idle = false;
    const paused = consumer.pause().then(() => (idle = true));
    await producer.offer('runner', [offer('left')]);
    expect(idle).toBe(false);
    inbox.release();
    await paused;
    expect(inbox.ids).toEqual(['running']);
    expect(await state('left')).toBe('waiting');
  });

  it('goes on after the backend lost everything, what was running included', async () => {
    const inbox = new Inbox();
    inbox.hold();
    await serve(inbox.handler);
    await producer.offer('runner', [offer('lost')]);
    await inbox.until(1);
    await backend.forget();
    expect(await state('lost')).toBe('missing');
    inbox.release();
    await producer.offer('runner', [offer('next')]);
    await inbox.until(2);
    expect(inbox.ids).toEqual(['lost', 'next']);
  });

  it('goes on after the backend was away, idle and in the middle of a message', async () => {
    const inbox = new Inbox();
    inbox.hold();
    await serve(inbox.handler);
    await producer.offer('runner', [offer('before')]);
    await inbox.until(1);
    await backend.down();
    const started = Date.now();
    await expect(producer.offer('runner', [offer('during')])).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      retryable: true,
    });
    await expect(producer.ping()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(Date.now() - started).toBeLessThan(4_000);
    inbox.release();
    await backend.up();
    await eventually(
      () =>
        producer.ping().then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    await producer.offer('runner', [offer('after')]);
    await inbox.until(2);
    expect(inbox.ids.slice(0, 2)).toEqual(['before', 'after']);
  }, 30_000);

  it('lets a producer that was started during an outage work after it', async () => {
    await backend.down();
    const early = new QueueProducer(backend.connection('runledger_api'));
    await expect(early.offer('runner', [offer('x')])).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    await backend.up();
    await eventually(
      () =>
        early.ping().then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    await early.offer('runner', [offer('x')]);
    expect((await early.states('runner', ['x'])).get('x')).toBe('waiting');
    await early.close();
  }, 30_000);

  it('says at the start of a worker that nobody is there', async () => {
    const port = await freePort();
    const nowhere: QueueConnection = {
      ...backend.connection('runledger_worker'),
      url: `${backend.connection('runledger_worker').backend}://127.0.0.1:${port}`,
    };
    const consumer = new QueueConsumer(nowhere);
    await expect(consumer.consume('runner', { concurrency: 1 }, new Inbox().handler)).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
    });
    await consumer.close(true);
  }, 15_000);

  it('rejects within 2 s when the server accepts connections and never answers', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const scheme = backend.connection('runledger_api').backend;
    const deaf = new QueueProducer({
      ...backend.connection('runledger_api'),
      url: `${scheme}://u:p@127.0.0.1:${address.port}`,
    });
    const started = Date.now();
    await expect(deaf.offer('runner', [offer('x')])).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      retryable: true,
    });
    expect(Date.now() - started).toBeLessThan(2_000);
    await deaf.close();
    sockets.forEach((socket) => socket.destroy());
    silent.close();
  }, 15_000);
}

describeWithRedis('the queue on Redis', () => behavesAsAQueue(redisBackend));

describe('the queue on PostgreSQL', () => behavesAsAQueue(postgresBackend));
