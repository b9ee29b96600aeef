import { createServer, type Server } from 'node:net';
import { probeQueue } from './probe-queue.js';

let server: Server | undefined;
afterEach(() => server?.close());

/** Answers every command with this line; with nothing for null. */
async function redisThatSays(answer: string | null): Promise<number> {
  const listening = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (answer !== null) socket.write(answer.repeat(text.match(/^\*/gm)?.length ?? 0));
    });
  });
  server = listening;
  return new Promise((resolve) => {
    listening.listen(0, '127.0.0.1', () => {
      const address = listening.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

const failure = (url: string): Promise<unknown> =>
  probeQueue({ backend: 'redis', url }).then(
    () => 'it was accepted',
    (error: unknown) => error,
  );

describe('probeQueue', () => {
  it('names the address of a Redis that is not there, what to do, and no password', async () => {
    expect(await failure('redis://someone:secret@127.0.0.1:9')).toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: expect.stringMatching(
        /^Redis at 127\.0\.0\.1:9 does not answer \([^@]*ECONNREFUSED[^@]*\): start it, or unset REDIS_URL to use the PostgreSQL queue$/,
      ) as string,
    });
  });

  it('waits 2 s for a server that says nothing', async () => {
    const port = await redisThatSays(null);
    const startedAt = Date.now();
    expect(await failure(`redis://127.0.0.1:${port}`)).toMatchObject({
      message: expect.stringContaining('no answer within 2 s') as string,
    });
    expect(Date.now() - startedAt).toBeLessThan(4_000);
  });

  it.each([
    ['-NOAUTH HELLO must be called with the client already authenticated', 'it asks for a password'],
    ['-WRONGPASS invalid username-password pair', 'WRONGPASS invalid username-password pair'],
  ])('says why it is turned away with %j', async (answer, reason) => {
    const port = await redisThatSays(`${answer}\r\n`);
    expect(await failure(`redis://x:secret@127.0.0.1:${port}`)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: `Redis at 127.0.0.1:${port} turns us away (${reason}): correct REDIS_URL`,
    });
  });

  it('leaves the database to others', async () => {
    await expect(probeQueue({ backend: 'postgres', url: 'postgres://127.0.0.1:9/none' })).resolves.toBeUndefined();
  });
});
