import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openProxy, type TcpProxy } from '../../medium/api/tcp-proxy.js';
import { expectAllWhole, openSystem, until, type SystemUnderTest } from './system-fixture.js';

const LEASE_MS = 2_000;

/** Two steps, the first of which tells on the disk that it has begun and ended: the database cannot be asked. */
const job = (begun: string, done: string): object => ({
  name: 'through an outage',
  steps: [
    { key: 'work', type: 'COMMAND', run: `touch '${begun}'; sleep 1; touch '${done}'` },
    { key: 'after', phase: 'CLEANUP', type: 'COMMAND', run: 'true' },
  ],
});

describe('a database (and the queue in it) that goes away', () => {
  let proxy: TcpProxy;
  let system: SystemUnderTest;
  beforeAll(async () => {
    system = await openSystem({ RUNNER_LEASE_MS: String(LEASE_MS) }, async ({ ownerUrl }) => {
      proxy = await openProxy(ownerUrl);
      return proxy.url;
    });
  }, 90_000);
  afterAll(async () => {
    await system.close();
    await proxy.close();
  });

  const file = (name: string): string => join(system.dataDir, name);
  const exists = (name: string): Promise<true> =>
    until(`the file ${name}`, () => (existsSync(file(name)) ? true : null));

  const request = (method: 'GET' | 'POST', definition?: object): Promise<Response> =>
    fetch(`${system.url}/v1/workspaces/${system.workspaceId}/runner-jobs`, {
      method,
      headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
      ...(definition === undefined ? {} : { body: JSON.stringify(definition) }),
    });

  it.each([
    ['for as long as a step runs', 0],
    ['for longer than a lease', LEASE_MS + 500],
  ])(
    '%s: 503 for whoever asks, and everything goes on when it is back',
    async (_, furtherMs) => {
      const processes = [system.pidOf('api'), system.pidOf('worker')];
      const [begun, done] = [`${furtherMs}.begun`, `${furtherMs}.done`];
      const running = await system.client.submit(job(file(begun), file(done)));
      await exists(begun);
      const waiting = await Promise.all([1, 2, 3].map(() => system.client.submit(job('/dev/null', '/dev/null'))));
      await proxy.cut();

      for (const refused of [await request('POST', job('/dev/null', '/dev/null')), await request('GET')]) {
        expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('content-type')]).toEqual([
          503,
          '2',
          'application/problem+json; charset=utf-8',
        ]);
        expect(await refused.json()).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' });
      }
      await exists(done);
      await new Promise((resolve) => setTimeout(resolve, furtherMs));
      await proxy.restore();
      await until('a ready system', async () => ((await fetch(`${system.url}/health/ready`)).ok ? true : null));

      await expectAllWhole(
        system.client,
        [running, ...waiting].map(({ id }) => id),
      );
      expect((await request('POST', job('/dev/null', '/dev/null'))).status).toBe(201);
      expect([system.pidOf('api'), system.pidOf('worker')]).toEqual(processes);
      expect(system.log()).not.toContain('ended unexpectedly');
    },
    90_000,
  );
});
