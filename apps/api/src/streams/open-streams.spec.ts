import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { OpenStreams } from './open-streams.js';

const FRAME = `data: ${'x'.repeat(10_000)}\n\n`;
const FRAMES = 4_000;

describe('an event stream', () => {
  let server: FastifyInstance;
  let streams: OpenStreams;
  let pulled: number;
  let freed: Promise<void>;
  let port: number;

  beforeEach(async () => {
    streams = new OpenStreams();
    server = Fastify();
    pulled = 0;
    freed = new Promise((resolve) => {
      async function* frames(signal: AbortSignal): AsyncGenerator<string, void> {
        try {
          for (; pulled < FRAMES && !signal.aborted; pulled += 1) yield FRAME;
          // As a follower does that waits for something new.
          if (!signal.aborted) await once(signal, 'abort');
        } finally {
          resolve();
        }
      }
      server.get('/', (request, reply) => streams.send(request, reply, frames));
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    port = (server.server.address() as AddressInfo).port;
  });
  afterEach(() => server.close());

  it('stops pulling for a client that does not read, and goes on when it does', async () => {
    const client = connect(port, '127.0.0.1');
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await settled(() => pulled);
    // What the operating system and one buffer of ours take is a small part of the 40 MB.
    expect(pulled).toBeGreaterThan(0);
    expect(pulled).toBeLessThan(FRAMES / 2);
    client.resume();
    await settled(() => pulled);
    expect(pulled).toBe(FRAMES);
    client.destroy();
    await freed;
    expect(streams.count).toBe(0);
  });

  it('frees everything when the client leaves in the middle of a wait', async () => {
    const leave = new AbortController();
    pulled = FRAMES - 1;
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: leave.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(streams.count).toBe(1);
    leave.abort();
    await freed;
    expect(streams.count).toBe(0);
  });

  it('ends when the server stops', async () => {
    pulled = FRAMES - 1;
    const response = await fetch(`http://127.0.0.1:${port}/`);
    streams.beforeApplicationShutdown();
    expect(await response.text()).toBe(FRAME);
    await freed;
  });

  it('has no body for HEAD, and nobody is followed for it', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' });
    expect([response.status, streams.count, pulled]).toEqual([200, 0, 0]);
  });
});

/** Waits until the figure has not moved for a while. */
async function settled(figure: () => number): Promise<void> {
  for (let last = -1; last !== figure();) {
    last = figure();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
