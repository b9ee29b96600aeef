import { jest } from '@jest/globals';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem, type TestSystem } from '#testing';
import { cliFor, jsonLines, runCli, startCli, type CliResult } from './run-cli.js';

// Every command is a process of its own.
jest.setTimeout(60_000);

const HELLO = 'examples/hello.yaml';
const FAILING = `name: failing\nsteps:\n  - { key: bad, type: COMMAND, run: "echo oops; exit 3" }\n  - { key: tidy, phase: CLEANUP, type: COMMAND, run: "true" }\n`;

let system: TestSystem;
let cli: (args: string[], input?: string) => Promise<CliResult>;
let folder: string;

beforeAll(async () => {
  // Without isolation, so that these tests say something on hosts without bubblewrap too.
  system = await startSystem({ env: { SANDBOX: 'process' } });
  cli = cliFor(system);
  folder = await mkdtemp(join(tmpdir(), 'runledger cli '));
}, 90_000);

afterAll(async () => {
  await system.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('submit', () => {
  it('follows a job to its end, in plain lines when nobody watches', async () => {
    const { code, stdout, stderr } = await cli(['submit', HELLO, '--follow']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const text of ['SETUP', '│ Hello from Runledger', '→ true  (kinds = 3)', 'fruit.txt', '✓ COMPLETED in'])
      expect(stdout).toContain(text);
    expect(stdout).not.toContain('\u001b');
    // Every output line once.
    expect(stdout.match(/│ plums/g)).toHaveLength(1);
  });

  it('answers 1 for a job that failed, and shows why', async () => {
    const { code, stdout } = await cli(['submit', '-', '--follow'], FAILING);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ FAILED[\s\S]*COMMAND_FAILED/);
  });

  it('prints the job as one JSON document', async () => {
    const { code, stdout, stderr } = await cli(['submit', HELLO, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'hello', workspaceId: system.workspaceId });
  });

  it('prints what it follows as JSON lines', async () => {
    const { code, stdout } = await cli(['submit', HELLO, '--follow', '--json']);
    const lines = jsonLines(stdout);
    expect(code).toBe(0);
    expect([lines[0]?.['kind'], lines.at(-1)?.['kind']]).toEqual(['submitted', 'finished']);
    expect(lines.at(-1)?.['job']).toMatchObject({ status: 'COMPLETED' });
    const seqs = lines.flatMap((line) => (line['kind'] === 'event' ? [(line['event'] as { seq: number }).seq] : []));
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  });

  it('points at the line of a syntax error', async () => {
    const { code, stdout, stderr } = await cli(['submit', '-'], 'name: a\nsteps:\n  - key: "b\n    type: GATE\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/<stdin>:\d+:\d+: /);
  });

  it('lists every field that is wrong, with its line', async () => {
    const { code, stderr } = await cli(
      ['submit', '-'],
      'name: a\nsteps:\n  - key: UP\n    type: COMMAND\n    phase: SOON\n    run: "true"\n',
    );
    expect(code).toBe(2);
    expect(stderr).toContain('<stdin>:3:10  steps[0].key');
    expect(stderr).toContain('<stdin>:5:12  steps[0].phase');
  });

  it('leaves the job running on Ctrl-C and says how to follow it', async () => {
    const definition = 'name: long\nsteps:\n  - { key: wait, type: COMMAND, run: "echo begun; sleep 3; echo over" }\n';
    const running = startCli(['submit', '-', '--follow'], { env: { DATA_DIR: system.dataDir }, input: definition });
    await running.says('│ begun');
    running.child.kill('SIGINT');
    const { code, stderr } = await running.result;
    expect(code).toBe(130);
    const jobId = /runledger follow ([0-9a-f-]{36})/.exec(stderr)?.[1] ?? '';
    const again = await cli(['follow', jobId]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('│ over');
  });
});

describe('secrets', () => {
  const DEPLOY = `name: deploy
steps:
  - key: deploy
    type: COMMAND
    secrets: [API_TOKEN, DEPLOY_KEY]
    run: |
      echo "with $API_TOKEN"
      echo "and $DEPLOY_KEY, in base64 $(printf %s "$API_TOKEN" | base64)" >&2
`;

  it('come from options, reach the command, and are shown to nobody; the streams are told apart', async () => {
    const keyFile = join(folder, 'key');
    await writeFile(keyFile, 'the deploy key\n');
    const options = ['--secret', 'API_TOKEN=the api token', '--secret-file', `DEPLOY_KEY=${keyFile}`];
    const { code, stdout } = await cli(['submit', '-', '--follow', ...options], DEPLOY);
    expect(code).toBe(0);
    expect(stdout).toContain('│ with ***');
    expect(stdout).toContain('┃ and ***, in base64 ***');
    expect((await cli(['logs', 'latest', 'deploy', '--stream', 'stdout'])).stdout).toBe('with ***\n');
    expect((await cli(['logs', 'latest', 'deploy', '--stream', 'stderr'])).stdout).toBe('and ***, in base64 ***\n');
    const [json] = jsonLines((await cli(['logs', 'latest', 'deploy', '--json'])).stdout);
    expect(json?.['pieces']).toEqual([
      expect.objectContaining({ stream: expect.stringMatching('stdout|stderr') }),
      expect.objectContaining({ stream: expect.stringMatching('stdout|stderr') }),
    ]);
    expect((await cli(['events', 'latest', '--json'])).stdout).not.toMatch(/api token|deploy key/);
  });

  it('that a step names have to be given', async () => {
    const { code, stderr } = await cli(['submit', '-', '--secret', 'API_TOKEN=the api token'], DEPLOY);
    expect(code).toBe(2);
    expect(stderr).toContain('names a secret that is not given; secrets has: API_TOKEN');
    expect(stderr).not.toContain('the api token');
  });
});

describe('several jobs', () => {
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const job = (name: string, run = '"true"'): string =>
    `name: ${name}\nrunAt: ${later}\ntags: [several]\nmetadata: { which: ${name} }\nsteps:\n  - key: a\n    type: COMMAND\n    run: ${run}\n`;
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };

  it('are submitted together, and found by tags and metadata', async () => {
    const files = [await file('one.yaml', job('one')), await file('two.yaml', job('two'))];
    const { code, stdout, stderr } = await cli(['submit', ...files]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'submitted 2 jobs together\n' });
    const [one = '', two = ''] = stdout.trim().split('\n');
    const found = async (...filter: string[]): Promise<unknown[]> =>
      jsonLines((await cli(['jobs', 'list', '--json', ...filter])).stdout).map(({ id }) => id);
    expect(await found('--tag', 'several')).toEqual([two, one]);
    expect(await found('--tag', 'several', '--meta', 'which=one')).toEqual([one]);
    expect((await cli(['jobs', 'list', '--tag', 'nothing'])).stderr).toBe('no such jobs\n');
    const shown = (await cli(['jobs', 'show', one])).stdout;
    expect(shown).toContain(`waits until ${later}`);
    expect(shown).toContain('tags: several');
    expect(shown).toContain('metadata: which=one');
  });

  it('are refused together, with the file and the line', async () => {
    const files = [await file('good.yaml', job('good')), await file('bad.yaml', job('bad', '3'))];
    const { code, stdout, stderr } = await cli(['submit', ...files]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`${files[1]}:8:10  jobs[1].steps[0].run must be a string`);
    expect((await cli(['jobs', 'list', '--meta', 'which=good', '--json'])).stdout).toBe('');
    expect((await cli(['submit', ...files, '--follow'])).code).toBe(2);
  });
});

describe('the workspace', () => {
  it('is shown and changed', async () => {
    const set = await cli(['workspace', 'set', '--max-running-jobs', '20', '--allow-network', '--json']);
    expect(JSON.parse(set.stdout)).toMatchObject({ maxRunningJobs: 20, allowNetwork: true, requireFourEyes: false });
    const { version } = JSON.parse(set.stdout) as { version: number };
    const stale = await cli(['workspace', 'set', '--no-allow-network', '--if-version', String(version - 1)]);
    expect([stale.code, stale.stderr]).toEqual([2, expect.stringContaining(`has version ${version} by now`)]);
    const again = await cli(['workspace', 'set', '--max-running-jobs', 'none', '--no-allow-network']);
    expect(again.code).toBe(0);
    const { stdout } = await cli(['workspace', 'show']);
    expect(stdout).toMatch(/jobs at a time +no limit\nfour eyes +not required\nnetwork of steps +not allowed\n/);
    expect((await cli(['workspace', 'set'])).stderr).toContain('name at least one setting');
    expect((await cli(['workspace', 'set', '--max-running-jobs', '0'])).code).toBe(2);
  });
});

describe('what a job left', () => {
  let jobId: string;
  beforeAll(async () => {
    const { stdout } = await cli(['submit', HELLO, '--follow', '--json']);
    jobId = (jsonLines(stdout)[0]?.['job'] as { id: string }).id;
  });

  it('is listed and shown', async () => {
    const list = await cli(['jobs', 'list', '--json', '-n', '2']);
    expect(jsonLines(list.stdout).map((job) => job['id'])).toContain(jobId);
    expect((await cli(['jobs', 'list'])).stdout).toContain(jobId);
    const { code, stdout } = await cli(['jobs', 'show', jobId]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/hello {2}COMPLETED[\s\S]*greet\s+EXECUTION\s+COMMAND\s+COMPLETED/);
  });

  it('is found by a part of its id', async () => {
    const { stdout } = await cli(['jobs', 'show', jobId.slice(-8), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ id: jobId });
    expect((await cli(['jobs', 'show', '0000-nothing'])).code).toBe(2);
  });

  it('has a ledger that verifies, event by event', async () => {
    const events = jsonLines((await cli(['events', jobId, '--json'])).stdout);
    expect(events.map((event) => event['seq'])).toEqual(events.map((_, index) => index + 1));
    const followed = jsonLines((await cli(['events', jobId, '--follow', '--json'])).stdout);
    expect(followed).toEqual(events);
    const { code, stdout } = await cli(['verify', jobId]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^✓ ${events.length} events, chain intact, head [0-9a-f]{8}…; rows equal their fold\n$`),
    );
  });

  it('has transcripts, as they were written', async () => {
    const { stdout } = await cli(['logs', jobId, 'greet']);
    expect(stdout).toBe('Hello from Runledger\nThere are 3 kinds of fruit:\napples\npears\nplums\n');
    const missing = await cli(['logs', jobId, 'nothing']);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('greet');
  });

  it('has artifacts that are checked as they are downloaded', async () => {
    const { code, stdout } = await cli(['artifacts', jobId, '--download', join(folder, 'out'), '--json']);
    expect(code).toBe(0);
    expect(jsonLines(stdout)[0]).toMatchObject({ path: 'fruit.txt', file: join(folder, 'out/fruit.txt') });
    expect(await readFile(join(folder, 'out/fruit.txt'), 'utf8')).toBe('apples\npears\nplums\n');
  });

  it('has versions in the workspace, which can be listed, downloaded and exported', async () => {
    const listed = jsonLines((await cli(['artifacts', 'list', '--latest', '--kind', 'list', '--json'])).stdout);
    expect(listed).toMatchObject([{ kind: 'list', logicalKey: 'fruit', path: 'fruit.txt' }]);
    const table = (await cli(['artifacts', 'versions', 'list', 'fruit'])).stdout;
    expect(table).toContain('VERSION');
    expect(table).toContain(String(listed[0]?.['id']));

    const file = join(folder, 'fruit.txt');
    const got = await cli(['artifacts', 'download', String(listed[0]?.['id']), '-o', file]);
    expect([got.code, await readFile(file, 'utf8')]).toEqual([0, 'apples\npears\nplums\n']);

    const digests = await Promise.all(
      ['whole.zip', 'again.zip'].map(async (name) => {
        const { code, stdout } = await cli([
          'artifacts',
          'export',
          '--kind',
          'list',
          '-o',
          join(folder, name),
          '--json',
        ]);
        expect(code).toBe(0);
        const { file: path, sizeBytes, sha256 } = jsonLines(stdout)[0] ?? {};
        const bytes = await readFile(String(path));
        expect([bytes.length, bytes.subarray(0, 4).toString('latin1')]).toEqual([sizeBytes, 'PK\u0003\u0004']);
        return sha256;
      }),
    );
    expect(digests[0]).toBe(digests[1]);
    expect((await cli(['artifacts', 'export', '--job', jobId, '-o', join(folder, 'job.zip')])).code).toBe(0);
    expect((await cli(['artifacts', 'list', jobId, '--kind', 'list'])).code).toBe(2);
    expect((await cli(['artifacts', 'versions', 'list', 'none'])).code).toBe(2);
    expect((await cli(['artifacts', 'list', '--kind', 'List'])).stderr).toContain('kind must match');
  });

  it('is no error when the reader of the output goes away', () => {
    const shell = `"${process.execPath}" bin/runledger.mjs events ${jobId} --json | head -n 1 > /dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', shell], {
      encoding: 'utf8',
      env: { ...process.env, DATA_DIR: system.dataDir, NODE_OPTIONS: '' },
    });
    expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' });
  });
});

describe('exit codes', () => {
  it('is 2 for wrong usage', async () => {
    expect((await cli(['submit'])).code).toBe(2);
    expect((await cli(['fly'])).code).toBe(2);
    expect((await cli(['jobs', 'list', '--status', 'ODD'])).code).toBe(2);
    expect((await cli(['submit', join(folder, 'none.yaml')])).stderr).toContain('no such file');
  });

  it('is 2 for a key that is none, and for a job that is not there', async () => {
    const wrong = await runCli(['jobs', 'list', '--url', system.url, '--api-key', 'rl_live_wrong', '--json']);
    expect(wrong.code).toBe(2);
    expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
    expect((await cli(['jobs', 'show', '01a1fd63-f18a-75b8-b252-18b650b75408'])).code).toBe(2);
  });

  it('is 2, before anything is sent, when there is no key for that server', async () => {
    const { code, stderr } = await runCli(['jobs', 'list', '--url', 'http://127.0.0.1:9'], {
      env: { DATA_DIR: system.dataDir },
    });
    expect(code).toBe(2);
    expect(stderr).toContain('no API key');
  });

  it('is 3 when nobody answers', async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
      });
    });
    const { code, stderr } = await runCli(['jobs', 'list', '--url', `http://127.0.0.1:${port}`, '--api-key', 'k']);
    expect(code).toBe(3);
    expect(stderr).toContain('connection refused');
    expect(stderr).toContain('npm start');
    // A port that fetch refuses by itself.
    const blocked = await runCli(['jobs', 'list', '--url', 'http://127.0.0.1:9', '--api-key', 'k']);
    expect(blocked.code).toBe(3);
    expect(blocked.stderr).toContain('cannot reach http://127.0.0.1:9: no HTTP client may use that port');
  });

  it('is 0 for help, which has examples for every command', async () => {
    for (const command of [
      [],
      ['start'],
      ['submit'],
      ['jobs', 'list'],
      ['jobs', 'show'],
      ['events'],
      ['logs'],
      ['verify'],
      ['artifacts'],
      ['artifacts', 'export'],
      ['db'],
    ]) {
      const { code, stdout } = await runCli([...command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain('Examples:');
    }
  });
});

describe('credentials', () => {
  it('are kept for the owner of the folder alone', async () => {
    const file = join(system.dataDir, 'credentials.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      url: system.url,
      workspaceId: system.workspaceId,
      apiKey: system.apiKey,
    });
  });

  it('can come from the environment, without a data folder', async () => {
    const empty = join(folder, 'empty.yaml');
    await writeFile(empty, '');
    const env = {
      RUNLEDGER_URL: system.url,
      RUNLEDGER_API_KEY: system.apiKey,
      RUNLEDGER_WORKSPACE: system.workspaceId,
      DATA_DIR: folder,
    };
    expect((await runCli(['jobs', 'list', '--json'], { env })).code).toBe(0);
    expect((await runCli(['submit', empty], { env })).stderr).toContain('is empty');
  });
});

describe('approvals', () => {
  const gate =
    'name: release\nsteps:\n  - { key: ask, type: GATE, approval: { scope: deploy.production, subject: { summary: ship it } } }\n';
  const waiting = async (): Promise<{ jobId: string; id: string }> => {
    const jobId = (await cli(['submit', '-'], gate)).stdout.trim();
    for (;;) {
      const [approval] = jsonLines((await cli(['approvals', '--job', jobId, '--json'])).stdout);
      if (approval !== undefined) return { jobId, id: String(approval['id']) };
    }
  };

  it('are listed, shown and granted, and the job goes on', async () => {
    const { jobId, id } = await waiting();
    const listed = await cli(['approve']);
    expect(listed.stdout).toMatch(
      /deploy\.production {2}0 of 1[^]*release, step ask[^]*ship it[^]*digest [0-9a-f]{8}…/,
    );
    expect(listed.stderr).toContain(`runledger approve ${id.slice(-12)}`);
    const { code, stdout } = await cli(['approve', id.slice(-12), '--comment', 'as discussed']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('granted: deploy.production for release, step ask')]);
    const followed = await cli(['follow', jobId]);
    expect(followed.code).toBe(0);
    for (const text of [
      'waits for 1 approval: deploy.production',
      `runledger approve ${id}`,
      ': as discussed',
      'COMPLETED',
    ])
      expect(followed.stdout).toContain(text);
    expect((await cli(['approvals', id])).stdout).toMatch(/GRANTED[^]*✓ granted by/);
    const late = await cli(['reject', id]);
    expect([late.code, late.stderr]).toEqual([2, expect.stringContaining('GRANTED')]);
  });

  it('are decided by a key of its own, with a role, made while the local system runs', async () => {
    const made = await runCli([
      'keys',
      'create',
      '--name',
      'maria',
      '--scope',
      'approvals:write',
      'jobs:read',
      '--role',
      'boss',
      '--data-dir',
      system.dataDir,
    ]);
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^rl_live_\w+\n$/)]);
    const { jobId, id } = await waiting();
    const rejected = await runCli([
      'reject',
      id,
      '--url',
      system.url,
      '--api-key',
      made.stdout.trim(),
      '-c',
      'not today',
    ]);
    expect(rejected.code).toBe(0);
    const { code, stdout } = await cli(['follow', jobId]);
    expect([code, stdout]).toEqual([1, expect.stringContaining('rejected by maria: not today')]);
    const wrong = await runCli(['keys', 'create', '--name', 'x', '--role', 'Not OK', '--data-dir', system.dataDir]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"Not OK" is no role')]);
  });
});
