import { jest } from '@jest/globals';
import { HIDING, hiding } from './hiding.js';
import { SandboxFixture } from './sandbox-fixture.js';

jest.setTimeout(30_000);

/** What the process driver keeps where the host gives it no control groups. */
describe('process driver without control groups', () => {
  let sandbox: SandboxFixture;
  beforeEach(() => {
    sandbox = new SandboxFixture('process', { cgroups: false });
  });
  afterEach(() => sandbox.close());

  it('says which limits hold by which means', async () => {
    const { facts } = await sandbox.run(':');
    expect(facts).toMatchObject({
      driver: 'process',
      network: 'full',
      memory: 'rlimit+watch',
      processes: 'watch',
      disk: 'watch',
      seccomp: 'none',
      userNamespace: false,
    });
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;

  onLinux('ends a process that has left its parent, its session and its environment', async () => {
    const run = await sandbox.run(HIDING);
    expect(run).toMatchObject({ exitCode: 0, stdout: 'done\n', facts: { orphans: 'subreaper' } });
    expect(hiding()).toEqual([]);
  });

  onLinux('ends it when the command is stopped, too', async () => {
    const stop = new AbortController();
    const run = await sandbox.run(`${HIDING}; sleep 300`, { stop: stop.signal, onOutput: () => stop.abort() });
    expect(run).toMatchObject({ failure: { code: 'INTERRUPTED' } });
    expect(hiding()).toEqual([]);
  });

  it('passes on variables that Perl would act on', async () => {
    const run = await sandbox.run('echo "$PERL5OPT $PERL5LIB"', { env: { PERL5OPT: '-Mno::such', PERL5LIB: '/a=b' } });
    expect(run).toMatchObject({ exitCode: 0, stdout: '-Mno::such /a=b\n', stderr: '' });
  });

  it('ends a command that eats memory', async () => {
    const run = await sandbox.run(
      'node -e "const all = []; setInterval(() => all.push(Buffer.alloc(8 << 20, 1)), 5)"',
      {
        limits: { memoryBytes: 200 * 1024 * 1024 },
      },
    );
    expect(run).toMatchObject({ failure: { code: 'MEMORY_LIMIT' }, signalsSent: ['SIGKILL'] });
  });
});

describe('process driver with whatever control groups there are', () => {
  let sandbox: SandboxFixture;
  beforeEach(() => {
    sandbox = new SandboxFixture('process');
  });
  afterEach(() => sandbox.close());

  it('ends a process that has left its parent, its session and, where it may, its control groups', async () => {
    const leave = 'for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do echo $$ > $f; done';
    const script = `setsid sh -c '${leave}; : > up; exec sleep 305' <&- >&- 2>&- & while [ ! -e up ]; do sleep 0.02; done`;
    // The fixture throws when anything is left.
    await expect(sandbox.run(script)).resolves.toMatchObject({ exitCode: 0, signalsSent: ['SIGTERM'] });
  });
});
