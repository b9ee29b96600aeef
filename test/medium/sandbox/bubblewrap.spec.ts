import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { createSandboxDriver } from '#sandbox';
import { describeWithBubblewrap } from '#testing';
import { SandboxFixture } from './sandbox-fixture.js';

jest.setTimeout(30_000);

const MIB = 1024 * 1024;

async function listen(server: Server, where: string | number): Promise<Server> {
  await new Promise<void>((resolve) =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  );
  return server;
}

/** What a command cannot do in the sandbox. Every attempt says so itself: a test passes only on the words of the attempt that failed. */
describeWithBubblewrap('bubblewrap isolation', () => {
  let sandbox: SandboxFixture;
  let outside: string;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'outside-'));
    sandbox = new SandboxFixture('bubblewrap');
  });
  afterEach(async () => {
    await sandbox.close();
    rmSync(outside, { recursive: true, force: true });
  });

  it('shows no host file but the system’s programs and the paths given', async () => {
    writeFileSync(join(outside, 'secret'), 'hunter2');
    const given = join(outside, 'given');
    mkdirSync(given);
    writeFileSync(join(given, 'data'), 'for you');
    const run = await sandbox.run(
      `ls /; cat ${outside}/secret || echo no secret; cat ${given}/data; echo x > ${given}/data || echo read only`,
      { readOnlyPaths: [given] },
    );
    const allowed = [
      'bin',
      'dev',
      'etc',
      'lib',
      'lib32',
      'lib64',
      'libx32',
      'opt',
      'proc',
      'sbin',
      'tmp',
      'usr',
      'var',
      'workdir',
    ];
    const [listing = ''] = run.stdout.split('no secret');
    for (const entry of listing.trim().split('\n')) expect(allowed).toContain(entry);
    expect(run.stdout).toContain('no secret\nfor youread only\n');
    expect(readFileSync(join(given, 'data'), 'utf8')).toBe('for you');
  });

  it('shows no key of the host, and no user', async () => {
    const run = await sandbox.run(
      'ls /etc/shadow /etc/ssl/private /root /home 2>&1 || true; cut -d: -f1 /etc/passwd; id -un; hostname',
    );
    expect(run.stdout.match(/No such file/g)).toHaveLength(4);
    expect(run.stdout).toMatch(/root\nsandbox\nnobody\nsandbox\nsandbox\n$/);
  });

  it('shows no workdir but its own', async () => {
    writeFileSync(join(sandbox.workdir, 'mine'), '');
    const run = await sandbox.run(
      `ls -A /workdir; ls ${sandbox.workdir} ${tmpdir()}/* 2>/dev/null || echo nothing else; ls -A ..`,
    );
    expect(run.stdout).toMatch(/^mine\nnothing else\n/);
  });

  it('follows no link out of the workdir to the host', async () => {
    writeFileSync(join(outside, 'secret'), 'hunter2');
    const run = await sandbox.run(
      `ln -s ${outside}/secret link; cat link || echo dead; ls /proc/1/root/${outside} || echo no way`,
    );
    expect(run.stdout).toBe('dead\nno way\n');
  });

  it('reaches no service on the loopback', async () => {
    let reached = 0;
    const server = await listen(
      createServer((socket) => void ((reached += 1), socket.destroy())),
      0,
    );
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const run = await sandbox.run(
      `(exec 9<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached || echo refused; cat /proc/net/dev | tail -n +3 | cut -d: -f1`,
    );
    server.close();
    expect(run.stdout.trim().split(/\s+/)).toEqual(['refused', 'lo']);
    expect(reached).toBe(0);
  });

  it('reaches no Unix socket of the host, by name or abstract', async () => {
    let reached = 0;
    const path = join(outside, 'service.sock');
    const abstract = `\0runledger-test-${process.pid}`;
    const servers = [
      await listen(
        createServer((socket) => void ((reached += 1), socket.destroy())),
        path,
      ),
      await listen(
        createServer((socket) => void ((reached += 1), socket.destroy())),
        abstract,
      ),
    ];
    const attempt =
      "const s = require('net').connect(process.argv[1].replace('@', '\\0')); s.on('connect', () => { console.log('reached'); s.destroy() }); s.on('error', () => console.log('refused'))";
    const run = await sandbox.run(`node -e "$ATTEMPT" ${path}; node -e "$ATTEMPT" "@${abstract.slice(1)}"`, {
      env: { ATTEMPT: attempt },
    });
    servers.forEach((server) => server.close());
    expect(run.stdout).toBe('refused\nrefused\n');
    expect(reached).toBe(0);
  });

  it('sees no process of the host, nor the worker’s environment', async () => {
    const run = await sandbox.run(
      `cat /proc/${process.pid}/environ 2>/dev/null || echo unseen; cat /proc/1/environ | tr '\\0' '\\n' | grep -c . || true; ls /proc | grep -c '^[0-9]'`,
    );
    const [unseen, variables, processes] = run.stdout.trim().split('\n');
    expect(unseen).toBe('unseen');
    expect(Number(variables)).toBeLessThan(2);
    expect(Number(processes)).toBeLessThan(10);
  });

  it.each(['/usr/made', '/etc/made', '/made', '/dev/made'])('cannot make %s', async (path) => {
    const run = await sandbox.run(`(echo x > ${path}) 2>/dev/null && echo written || echo refused`);
    expect(run.stdout).toBe('refused\n');
  });

  // With the value that is there already, so that an attempt that succeeds does no harm.
  it.each(['kernel/core_pattern', 'vm/overcommit_ratio', 'fs/file-max'])('cannot set the sysctl %s', async (name) => {
    const run = await sandbox.run(
      `cat /proc/sys/${name} > value; (cat value > /proc/sys/${name}) 2>/dev/null && echo written || echo refused`,
    );
    expect(run.stdout).toBe('refused\n');
  });

  it('cannot pull the system request key, nor read the memory of the kernel', async () => {
    const files = ['kcore', 'kmsg', 'slabinfo', 'vmallocinfo', 'kpageflags', 'timer_list'].map(
      (name) => `/proc/${name}`,
    );
    const run = await sandbox.run(
      `(echo h > /proc/sysrq-trigger) 2>/dev/null && echo pulled; for f in ${files.join(' ')}; do (timeout 1 head -c 1 $f 2>/dev/null || true) | wc -c; done`,
    );
    expect(run.stdout).toBe('0\n'.repeat(files.length));
  });

  it('has no capability, gains none, and cannot make another user namespace', async () => {
    const run = await sandbox.run(
      "grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status | tr -s '\\t' ' '; unshare -Ur true 2>/dev/null && echo unshared || echo refused",
    );
    expect(run.stdout).toBe(
      ['CapPrm: 0', 'CapEff: 0', 'CapBnd: 0', 'CapAmb: 0'].map((line) => `${line}${'0'.repeat(15)}\n`).join('') +
        'NoNewPrivs: 1\nrefused\n',
    );
  });

  it('has no more devices than the usual ones, and no terminal', async () => {
    const run = await sandbox.run(
      'find /dev ! -type d ! -type l | sort; (echo > /dev/tty) 2>/dev/null || echo no terminal',
    );
    expect(run.stdout.trim().split('\n')).toEqual([
      ...['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`),
      'no terminal',
    ]);
  });

  it('can fill neither /tmp nor /dev/shm beyond their size', async () => {
    const run = await sandbox.run(
      'head -c 60000000 /dev/zero > /tmp/big || echo tmp full; head -c 100000000 /dev/zero > /dev/shm/big || echo shm full',
      {
        limits: { memoryBytes: 32 * MIB, fileSizeBytes: 1024 * MIB },
      },
    );
    expect(run).toMatchObject({ exitCode: 0, stdout: 'tmp full\nshm full\n' });
  });

  it('does not let the environment of a command act on bubblewrap itself', async () => {
    const run = await sandbox.run('echo "$LD_PRELOAD"', { env: { LD_PRELOAD: join(sandbox.workdir, 'evil.so') } });
    // The loader complains in the sandbox's programs, where the host's path does not exist; bubblewrap runs before them without a word.
    expect(run.exitCode).toBe(0);
    expect(run.stderr.split('\n')[0]).not.toContain('bwrap');
  });

  it('keeps environment and script off the command lines of the host', async () => {
    const seen: string[] = [];
    await sandbox.run('echo now; sleep 0.2; : hush', {
      env: { PASSWORD: 'hush' },
      onOutput: async () => {
        const { execFileSync } = await import('node:child_process');
        seen.push(execFileSync('ps', ['-A', '-ww', '-o', 'args='], { encoding: 'utf8' }));
      },
    });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toContain('bwrap');
    expect(seen[0]).not.toContain('hush');
  });
});

describe('bubblewrap driver without bubblewrap', () => {
  it.each([
    ['is missing', '/no/such/bwrap', /apt-get install bubblewrap/],
    ['cannot set up a sandbox', '/bin/false', /user namespaces/],
  ])('says so when it %s, and runs nothing', async (_, bubblewrapPath, advice) => {
    const workdir = mkdtempSync(join(tmpdir(), 'no-sandbox-'));
    const driver = createSandboxDriver('bubblewrap', { bubblewrapPath });
    const reason = await driver.unavailable();
    expect(reason).toContain('SANDBOX=process');
    expect(reason).toMatch(advice);
    const command = {
      script: ': > ran',
      workdir,
      env: {},
      readOnlyPaths: [],
      graceMs: 100,
      limits: { timeoutMs: 5_000, memoryBytes: 512 * MIB, processes: 20, fileSizeBytes: MIB, diskBytes: 64 * MIB },
    };
    const result = await driver.run(command, () => undefined, new AbortController().signal);
    expect(result).toMatchObject({ exitCode: null, failure: { code: 'SANDBOX_UNAVAILABLE', message: reason } });
    expect(() => readFileSync(join(workdir, 'ran'))).toThrow();
    rmSync(workdir, { recursive: true, force: true });
  });
});
