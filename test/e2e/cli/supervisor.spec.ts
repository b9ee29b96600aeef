import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunledgerClient } from '#client';
import { startSystem } from '#testing';
import { commandOf, processesOf, read } from '../processes.js';
import { cliFor, jsonLines, runCli, startCli } from './run-cli.js';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'runledger system '));
});
afterEach(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));

const env = { SANDBOX: 'process', SHUTDOWN_GRACE_MS: '1000' };
const GREETING = 'name: greeting\nsteps:\n  - { key: greet, type: COMMAND, run: echo hello }\n';

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) {
      const left = processesOf(dataDir).map(commandOf);
      throw new Error(`it did not come true in time; processes: ${left.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('runledger start', () => {
  it('stops everything on SIGTERM, and goes on with the same data and the same key', async () => {
    const first = await startSystem({ dataDir, env });
    const submitted = await cliFor(first)(['submit', '-', '--follow', '--json'], GREETING);
    expect(submitted.code).toBe(0);
    expect(await first.stop()).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
    expect(existsSync(join(dataDir, 'postgres/data/postmaster.pid'))).toBe(false);

    const second = await startSystem({ dataDir, env });
    expect(second).toMatchObject({ workspaceId: first.workspaceId, apiKey: first.apiKey });
    const jobs = jsonLines((await cliFor(second)(['jobs', 'list', '--json'])).stdout);
    expect(jobs).toEqual([expect.objectContaining({ name: 'greeting', status: 'COMPLETED' })]);
    expect(await second.stop()).toBe(0);
  }, 120_000);

  it('refuses a second start over the same folder, naming the process', async () => {
    const system = await startSystem({ dataDir, env });
    const second = await runCli(['start', '--port', '0', '--data-dir', dataDir], { env });
    expect(second.code).toBe(1);
    expect(second.stdout).toBe('');
    expect(second.stderr).toContain(String(system.pid));
    expect(second.stderr).toContain('--data-dir');
    // And does the first no harm.
    expect((await cliFor(system)(['jobs', 'list'])).code).toBe(0);
    await system.stop();
  }, 90_000);

  it('refuses a port that is taken, naming it', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const { code, stderr } = await runCli(['start', '--port', String(port), '--data-dir', dataDir], { env });
    await new Promise((resolve) => taken.close(resolve));
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port}`);
    expect(stderr).toContain('--port');
  });

  it('says in one line that the database is not there', async () => {
    const { code, stdout, stderr } = await runCli(['start', '--port', '0', '--data-dir', dataDir], {
      env: { ...env, DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/none' },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
    for (const text of ['DATABASE_URL', '127.0.0.1:1', 'ECONNREFUSED']) expect(stderr).toContain(text);
    expect(stderr).not.toContain('secret');
  });

  it('says in one line, before anything is started, that Redis is not there', async () => {
    const { code, stdout, stderr } = await runCli(['start', '--port', '0', '--data-dir', dataDir], {
      env: { ...env, REDIS_URL: 'redis://u:secret@127.0.0.1:9' },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'error: Redis at 127.0.0.1:9 does not answer (connect ECONNREFUSED 127.0.0.1:9): start it, or unset REDIS_URL to use the PostgreSQL queue\n',
    );
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
  });

  it('says in one line that the data folder cannot be one', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    const { code, stdout, stderr } = await runCli(['start', '--port', '0', '--data-dir', join(file, 'data')], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `error: the data folder ${join(file, 'data')} cannot be used: ${file} is not a folder; choose another with --data-dir or DATA_DIR\n`,
    );
  });

  it('names every wrong setting', async () => {
    const { code, stderr } = await runCli(['start', '--data-dir', dataDir, '--port', 'abc'], {
      env: { SANDBOX: 'none' },
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/PORT.*SANDBOX|SANDBOX.*PORT/s);
  });

  it('leaves nothing running when it is killed, and takes the folder over afterwards', async () => {
    const system = await startSystem({ dataDir, env });
    const client = new RunledgerClient({ baseUrl: system.url, apiKey: system.apiKey });
    const job = await client.submit({
      name: 'long',
      steps: [{ key: 'wait', type: 'COMMAND', run: 'echo begun; sleep 300' }],
    });
    for await (const item of client.followJob(job.id)) if (item.kind === 'output') break;
    await system.kill();
    await until(() => processesOf(dataDir).length === 0, 60_000);
    expect(existsSync(join(dataDir, 'postgres/data/postmaster.pid'))).toBe(false);

    const next = await startSystem({ dataDir, env });
    expect((await cliFor(next)(['jobs', 'show', job.id, '--json'])).code).toBe(0);
    expect(await next.stop()).toBe(0);
  }, 180_000);

  it('starts a process again that died, at the same address', async () => {
    const system = await startSystem({ dataDir, env });
    const api = processesOf(dataDir).find((pid) => read(`/proc/${pid}/cmdline`).includes('apps/api'));
    process.kill(api ?? 0, 'SIGKILL');
    await until(() => system.log().includes('is back'), 30_000);
    const { code } = await cliFor(system)(['submit', '-', '--follow'], GREETING);
    expect(code).toBe(0);
    expect(system.log()).toContain('ended unexpectedly');
    await system.stop();
  }, 120_000);

  it('brings a database back that died', async () => {
    const system = await startSystem({ dataDir, env });
    process.kill(Number(read(join(dataDir, 'postgres/data/postmaster.pid')).split('\n')[0]), 'SIGKILL');
    await until(() => system.log().includes('is back'), 60_000);
    const { code } = await cliFor(system)(['submit', '-', '--follow'], GREETING);
    expect(code).toBe(0);
    expect(await system.stop()).toBe(0);
  }, 120_000);

  it('stops when npx is told to stop', async () => {
    const npx = spawn('npx', ['runledger', 'start', '--port', '0', '--data-dir', dataDir, '--json'], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const line = await new Promise<string>((resolve) => npx.stdout.setEncoding('utf8').once('data', resolve));
    expect(Object.keys(JSON.parse(line) as object)).toEqual(['url', 'workspaceId', 'apiKey']);
    npx.kill('SIGTERM');
    await new Promise((resolve) => npx.once('close', resolve));
    await until(() => processesOf(dataDir).length === 0, 30_000);
  }, 90_000);

  it('tells a person what is where', async () => {
    const running = startCli(['start', '--port', '0', '--data-dir', dataDir], { env });
    await running.says('Ctrl-C stops everything');
    running.child.kill('SIGINT');
    const { code, stdout } = await running.result;
    expect(code).toBe(0);
    for (const text of ['/docs', '/admin/queues', 'rl_', 'WITHOUT isolation', 'examples/hello.yaml --follow'])
      expect(stdout).toContain(text);
  }, 90_000);
});
