import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiError, ConnectionError, RunledgerClient, type FollowItem, type JobEvent } from './index.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of a few lines that speaks the API's protocol, so that lost connections and strange answers can be made at will. */
async function serve(handle: Handler): Promise<{ client: RunledgerClient; url: string; server: Server }> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: new RunledgerClient({ baseUrl: `${url}/`, apiKey: 'secret', workspaceId: 'w1' }), url, server };
}

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

const event = (seq: number): Partial<JobEvent> => ({ seq, type: 'job.progress', payload: null });
const sse = (name: string, data: unknown, id?: number): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const complete = sse('stream.complete', { status: 'COMPLETED', headSeq: 3 });

async function collect(items: AsyncIterable<FollowItem>): Promise<FollowItem[]> {
  const all: FollowItem[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('RunledgerClient', () => {
  it('sends the key and reads page after page', async () => {
    const asked: string[] = [];
    const { client } = await serve((request, response) => {
      expect(request.headers.authorization).toBe('Bearer secret');
      asked.push(request.url ?? '');
      const second = request.url?.includes('cursor=a%2Bb') === true;
      answer(
        response,
        200,
        second ? { items: [{ id: '3' }], nextCursor: null } : { items: [{ id: '1' }, { id: '2' }], nextCursor: 'a+b' },
      );
    });
    const ids: string[] = [];
    for await (const job of client.listJobs({ status: 'FAILED', pageSize: 2 })) ids.push(job.id);
    expect(ids).toEqual(['1', '2', '3']);
    expect(asked[0]).toBe('/v1/workspaces/w1/runner-jobs?status=FAILED&limit=2');
  });

  it('asks for its workspace once', async () => {
    let asked = 0;
    const { url } = await serve((request, response) => {
      if (request.url === '/v1/me') asked += 1;
      answer(response, 200, request.url === '/v1/me' ? { workspaceId: 'mine' } : { path: request.url });
    });
    const client = new RunledgerClient({ baseUrl: url, apiKey: 'secret' });
    const answers = await Promise.all([client.getJob('a'), client.getJob('b')]);
    expect(answers).toEqual([
      { path: '/v1/workspaces/mine/runner-jobs/a' },
      { path: '/v1/workspaces/mine/runner-jobs/b' },
    ]);
    expect(asked).toBe(1);
  });

  it('gives the problem that the server names', async () => {
    const problem = {
      type: 'about:blank',
      title: 'Unprocessable',
      status: 422,
      code: 'VALIDATION_FAILED',
      detail: 'no',
      errors: [{ field: 'name', rule: 'r', message: 'm' }],
    };
    const { client } = await serve((_, response) => answer(response, 422, problem));
    const error = await client.submit({}).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 422, code: 'VALIDATION_FAILED', message: 'no', problem });
  });

  it('makes a problem of an answer that is none of ours', async () => {
    const { client } = await serve((_, response) => void response.writeHead(502, 'Bad Gateway').end('<html>'));
    await expect(client.me()).rejects.toMatchObject({
      name: 'ApiError',
      status: 502,
      message: 'the server answered 502 Bad Gateway',
    });
  });

  it('says why nobody answers', async () => {
    const { client, server, url } = await serve(() => undefined);
    server.close();
    const error = await client.me().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as Error).message).toBe(`cannot reach ${url}: connection refused`);
  });
});

describe('followJob', () => {
  it('goes on where a lost connection broke off, and gives everything once', async () => {
    const resumedAfter: (string | undefined)[] = [];
    const { client } = await serve((request, response) => {
      resumedAfter.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const output = (offset: number, text: string) =>
        sse('output', { stepId: 's', stepKey: 'k', attempt: 1, offset, text });
      if (resumedAfter.length === 1) {
        // Broken off in the middle of a message.
        response.write(
          `retry: 3000\n\n${sse('job.progress', event(1), 1)}${output(0, 'abc')}id: 2\nevent: job.progress\ndata: {"se`,
        );
        setTimeout(() => response.destroy(), 20);
        return;
      }
      response.end(
        `: keep-alive\n\n${sse('job.progress', event(1), 1)}${sse('job.progress', event(2), 2)}${output(0, 'abcd')}${sse('job.progress', event(3), 3)}${complete}`,
      );
    });
    const items = await collect(client.followJob('j'));
    expect(items.flatMap((item) => (item.kind === 'event' ? [item.event.seq] : []))).toEqual([1, 2, 3]);
    expect(items.map((item) => (item.kind === 'output' ? item.output.text : '')).join('')).toBe('abcd');
    expect(items.filter((item) => item.kind === 'reconnecting')).toHaveLength(1);
    expect(items.at(-1)).toEqual({ kind: 'complete', status: 'COMPLETED', headSeq: 3 });
    expect(resumedAfter).toEqual([undefined, '1']);
  });

  it('waits as long as a busy server asks, and goes on', async () => {
    let calls = 0;
    const { client } = await serve((_, response) => {
      calls += 1;
      if (calls === 2)
        return answer(
          response,
          503,
          { status: 503, title: 'x', code: 'DATABASE_UNAVAILABLE', detail: 'down' },
          { 'retry-after': '1' },
        );
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end(calls === 1 ? sse('job.progress', event(1), 1) : complete);
    });
    const items = await collect(client.followJob('j'));
    expect(items.flatMap((item) => (item.kind === 'reconnecting' ? [item.delayMs] : []))).toEqual([250, 1_000]);
  });

  it('does not try again what cannot succeed', async () => {
    let calls = 0;
    const { client } = await serve((_, response) => {
      calls += 1;
      answer(response, 404, { status: 404, title: 'Not found', code: 'NOT_FOUND', detail: 'no such job' });
    });
    await expect(collect(client.followJob('j'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(calls).toBe(1);
  });

  it('gives up on a server that stays away, and at once on one that was never there', async () => {
    const { client, server } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(sse('job.progress', event(1), 1));
      server.close();
      setTimeout(() => response.destroy(), 20);
    });
    await expect(collect(client.followJob('j', { giveUpAfterMs: 300 }))).rejects.toBeInstanceOf(ConnectionError);
    await expect(collect(client.followJob('j'))).rejects.toBeInstanceOf(ConnectionError);
  });

  it("ends with the signal's own reason", async () => {
    const stop = new AbortController();
    const { client } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(sse('job.progress', event(1), 1));
    });
    const follow = async (): Promise<void> => {
      for await (const item of client.followJob('j', { signal: stop.signal })) {
        if (item.kind === 'event') stop.abort(new Error('enough'));
      }
    };
    await expect(follow()).rejects.toThrow('enough');
  });
});
