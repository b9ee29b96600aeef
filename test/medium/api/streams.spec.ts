import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobWakeups } from '../../../apps/api/src/streams/job-wakeups.js';
import { HELLO, finished, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';
import { follow, type SseClient } from './sse-client.js';
import { openProxy, type TcpProxy } from './tcp-proxy.js';

describe('following a job', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let proxy: TcpProxy;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runledger-stream-'));
    api = await startApi({}, async (url) => {
      proxy = await openProxy(url);
      return proxy.url;
    });
    await api.startWorker();
    tenant = await api.tenant();
  });
  afterAll(async () => {
    await api.close();
    await proxy.close();
    await rm(folder, { recursive: true, force: true });
  });

  const stream = (jobId: string, headers: Record<string, string> = {}, query = ''): Promise<SseClient> =>
    follow(`${api.url}${tenant.jobs}/${jobId}/events/stream${query}`, tenant.key, headers);
  const get = (path: string) => api.http().get(path).auth(tenant.key, { type: 'bearer' });
  const outputOf = (client: SseClient): string =>
    client.events
      .filter((event) => event.event === 'output')
      .map((event) => event.data['text'])
      .join('');

  /** A job whose command prints, waits until it is let go, and prints again. */
  const waitingJob = async (name: string): Promise<{ id: string; stepId: string; letGo: () => Promise<void> }> => {
    const gate = join(folder, name);
    const run = `echo "before ü"; while [ ! -e ${gate} ]; do sleep 0.05; done; echo after`;
    const job = await submit(api, tenant, { name, steps: [{ key: 'wait', type: 'COMMAND', run, timeoutSeconds: 60 }] });
    return { id: job.id, stepId: job.steps[0]?.id ?? '', letGo: () => writeFile(gate, '') };
  };

  it('replays a finished job as its list of events has it, output in its place, and ends', async () => {
    const job = await submit(api, tenant);
    await finished(api, tenant, job.id);
    const client = await stream(job.id);
    await client.ended;
    expect([client.status, client.headers.get('content-type'), client.retryMs]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      3000,
    ]);
    const told = client.events.filter(
      (event) => event.id !== undefined && event.event !== 'output' && event.event !== 'stream.complete',
    );
    const { items } = (await get(`${tenant.jobs}/${job.id}/events?limit=500`)).body;
    expect(told.map((event) => event.data)).toEqual(items);
    expect(told.map((event) => event.event)).toEqual(items.map((item: { type: string }) => item.type));
    const names = client.events.map((event) => event.event);
    expect(names.indexOf('output')).toBe(names.indexOf('step.output') - 1);
    expect(outputOf(client)).toBe('héllo\nwörld\n');
    expect(client.events.at(-1)).toMatchObject({
      event: 'stream.complete',
      data: { status: 'COMPLETED', headSeq: items.length },
    });
  });

  it('goes on behind the last event that was seen, by header or by query', async () => {
    const job = await submit(api, tenant);
    await finished(api, tenant, job.id);
    const whole = await stream(job.id);
    await whole.ended;
    const head = Number(whole.events.at(-1)?.data['headSeq']);
    for (const client of [await stream(job.id, { 'last-event-id': '5' }), await stream(job.id, {}, '?lastEventId=5')]) {
      await client.ended;
      expect(client.events.find((event) => event.event !== 'output')?.data['seq']).toBe(6);
    }
    const atTheEnd = await stream(job.id, { 'last-event-id': String(head) });
    await atTheEnd.ended;
    expect(atTheEnd.events.map((event) => event.event)).toEqual(['stream.complete']);
    expect((await get(`${tenant.jobs}/${job.id}/events/stream`).set('last-event-id', 'abc')).body.errors[0].field).toBe(
      'Last-Event-ID',
    );
  });

  it('tells output while the step runs, and the transcript has it so far', async () => {
    const job = await waitingJob('live');
    const client = await stream(job.id);
    expect((await client.until((event) => event.event === 'output')).data).toEqual({
      stepId: job.stepId,
      stepKey: 'wait',
      attempt: 1,
      stream: 'stdout',
      offset: 0,
      text: 'before ü\n',
    });
    const soFar = await get(`${tenant.jobs}/${job.id}/steps/${job.stepId}/transcript`);
    expect([soFar.status, soFar.text, soFar.headers['etag']]).toEqual([200, 'before ü\n', undefined]);
    const part = await get(`${tenant.jobs}/${job.id}/steps/${job.stepId}/transcript`).set('range', 'bytes=7-');
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, 'ü\n', 'bytes 7-9/10']);
    await job.letGo();
    await client.ended;
    expect(outputOf(client)).toBe('before ü\nafter\n');
    const outputs = client.events.filter((event) => event.event === 'output');
    expect(outputs.at(-1)?.data['offset']).toBe(Buffer.byteLength('before ü\n'));
    const stored = await get(`${tenant.jobs}/${job.id}/steps/${job.stepId}/transcript`);
    expect([stored.text, stored.headers['etag']]).toEqual([
      'before ü\nafter\n',
      expect.stringMatching(/^"[0-9a-f]{64}"$/),
    ]);
  });

  it('keeps the connection while the database is away, and has missed nothing when it is back', async () => {
    const job = await waitingJob('outage');
    const client = await stream(job.id);
    await client.until((event) => event.event === 'output');
    await proxy.cut();
    expect((await get(`${tenant.jobs}/${job.id}`)).body.code).toBe('DATABASE_UNAVAILABLE');
    await job.letGo();
    await proxy.restore();
    await client.ended;
    expect(outputOf(client)).toBe('before ü\nafter\n');
    expect(client.events.at(-1)?.event).toBe('stream.complete');
  });

  it('serves many followers at once and forgets those who leave', async () => {
    const wakeups = api.app.get(JobWakeups);
    const job = await waitingJob('many');
    const clients = await Promise.all(Array.from({ length: 20 }, () => stream(job.id)));
    await Promise.all(clients.map((client) => client.until((event) => event.event === 'output')));
    expect(wakeups.followers).toBe(20);
    clients.slice(0, 15).forEach((client) => client.leave());
    await until(() => wakeups.followers === 5);
    await job.letGo();
    await Promise.all(clients.slice(15).map((client) => client.ended));
    await until(() => wakeups.followers === 0);
  });

  it('refuses strangers before anything is sent', async () => {
    const job = await submit(api, tenant, HELLO);
    const client = await follow(`${api.url}${tenant.jobs}/${job.id}/events/stream`, 'nonsense');
    expect(client.status).toBe(401);
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !holds();) {
    if (Date.now() > deadline) throw new Error('it did not become true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
