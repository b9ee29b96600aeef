import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { describeWithBubblewrap } from '#testing';
import { SECCOMP_RULES, TIOCSTI, type SeccompArch } from '../../../libs/sandbox/src/seccomp-rules.js';
import { SandboxFixture } from './sandbox-fixture.js';

jest.setTimeout(60_000);

const ARCH: SeccompArch = process.arch === 'arm64' ? 'arm64' : 'x64';
/** Makes each call with arguments that no kernel could do anything with, and says its errno. */
const CALLER =
  'for (@ARGV) { my ($name, $number, @args) = split /,/; $! = 0; syscall($number, map { $_ + 0 } @args); print "$name ", $! + 0, "\\n" }';

/** The kernel's side of the sandbox: what it is asked for and refuses. */
describeWithBubblewrap('escapes through the kernel', () => {
  let sandbox: SandboxFixture;
  beforeEach(() => {
    sandbox = new SandboxFixture('bubblewrap');
  });
  afterEach(() => sandbox.close());

  it('is under a filter of system calls, without privileges and with no way to any', async () => {
    const run = await sandbox.run(
      "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '; tr -s ' ' < /proc/self/uid_map",
    );
    const none = ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}: ${'0'.repeat(16)}\n`).join('');
    expect(run.stdout).toMatch(new RegExp(`^${none}NoNewPrivs: 1\nSeccomp: 2\n 1000 \\d+ 1\n$`));
    expect(run.facts).toMatchObject({
      seccomp: 'denylist',
      capabilities: 'none',
      noNewPrivileges: true,
      userNamespace: true,
    });
  });

  it('is denied every call of the list, with the errno of the list', async () => {
    const calls = SECCOMP_RULES.flatMap(({ name, numbers, errno, when }) => {
      const number = numbers[ARCH];
      return number === null || when !== undefined
        ? []
        : [{ call: `${name},${number},-1,-1,-1,-1,-1`, said: `${name} ${errno}` }];
    });
    expect(calls.length).toBeGreaterThan(40);
    const run = await sandbox.run(`perl -e "$CALLER" ${calls.map(({ call }) => call).join(' ')}`, { env: { CALLER } });
    expect(run.stdout.trim().split('\n')).toEqual(calls.map(({ said }) => said));
  });

  it('is denied new namespaces, strange sockets, typing into terminals and other personalities, and nothing else of these calls', async () => {
    const numberOf = (name: string): number => SECCOMP_RULES.find((rule) => rule.name === name)?.numbers[ARCH] ?? -1;
    const attempts: [name: string, args: number[], errno: number][] = [
      ['unshare', [0x10000000], 1],
      ['unshare', [0x20000], 1],
      ['unshare', [0x80], 1],
      ['unshare', [0x400], 0],
      ['clone', [0x10000000 + 17], 1],
      ['socket', [40, 1, 0], 97],
      ['socket', [38, 5, 0], 97],
      ['socket', [17, 3, 0], 97],
      ['socket', [1, 1, 0], 0],
      ['socket', [2, 1, 0], 0],
      ['socket', [16, 3, 0], 0],
      ['ioctl', [0, TIOCSTI, 0], 1],
      ['ioctl', [0, 0x541c, 0], 1],
      ['ioctl', [0, 0x5423, 0], 1],
      // ENOTTY: it came through to the device, which is no terminal.
      ['ioctl', [0, 0x5401, 0], 25],
      ['personality', [0x40000], 1],
      ['personality', [0xffffffff], 0],
    ];
    const calls = attempts.map(([name, args]) => [name, numberOf(name), ...args].join(','));
    const run = await sandbox.run(`perl -e "$CALLER" ${calls.join(' ')} < /dev/null`, { env: { CALLER } });
    expect(run.stdout.trim().split('\n')).toEqual(attempts.map(([name, , errno]) => `${name} ${errno}`));
  });

  it('lets ordinary programs work: threads, child processes, pipes between them, links, archives', async () => {
    const program = `const { Worker } = require('node:worker_threads'); const { execFileSync } = require('node:child_process');
      new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true }).on('message', () => console.log('thread'));
      console.log(execFileSync('sh', ['-c', 'echo child | cat']).toString().trim());`;
    const run = await sandbox.run(
      'node -e "$PROGRAM"; mkdir d; echo x > d/f; ln d/f d/g; ln -s f d/h; chmod 700 d; tar cf a.tar d; tar xf a.tar; perl -e "fork or exit; wait; print qq(forked\\n)"; timeout 5 sleep 0.01; echo $?',
      { env: { PROGRAM: program } },
    );
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
    expect(run.stdout.trim().split('\n').sort()).toEqual(['0', 'child', 'forked', 'thread']);
  });

  it('looks up localhost without a network, and nothing else', async () => {
    const run = await sandbox.run(
      'getent hosts localhost > /dev/null && echo found; getent hosts example.com || echo none',
    );
    expect(run.stdout).toBe('found\nnone\n');
  });

  it('has no /sys, and writes nothing into /proc that is not its own', async () => {
    const files = [
      'sys/kernel/core_pattern',
      'sys/vm/drop_caches',
      'sysrq-trigger',
      'irq/default_smp_affinity',
      'fs/nfsd/threads',
    ];
    const run = await sandbox.run(
      `[ -e /sys ] && echo sys; for f in ${files.join(' ')}; do (: >> /proc/$f) 2>/dev/null && echo "$f opened"; done; (echo 5 > /proc/1/oom_score_adj) 2>/dev/null; echo end`,
    );
    expect(run.stdout).toBe('end\n');
  });

  it('types nothing into the terminal that its worker was started from', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'terminal-'));
    const attempt = `my $told = ""; for my $path ("/dev/tty", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", glob "/proc/[0-9]*/fd/*") {
      open my $f, "+<", $path or next; for (split //, "echo typed\\n") { ioctl $f, ${TIOCSTI}, $_ and $told = "typed" } } print $told || "refused"`;
    const worker = [
      'test/medium/sandbox/run-command.mjs',
      'bubblewrap',
      folder,
      folder,
      'mark',
      `perl -e '${attempt}' > told`,
    ];
    // util-linux's script(1) gives the worker a terminal of its own.
    const quoted = [process.execPath, ...worker].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    const result = spawnSync('script', ['-qec', quoted, '/dev/null'], { encoding: 'utf8', timeout: 30_000, input: '' });
    const told = readFileSync(join(folder, 'told'), 'utf8');
    rmSync(folder, { recursive: true });
    expect(result.stdout).not.toContain('echo typed');
    expect(told).toBe('refused');
  });
});
