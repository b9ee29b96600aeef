import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { createSandboxDriver } from '#sandbox';
import { describeWithStandIn } from './describe-drivers.js';

jest.setTimeout(30_000);

const MIB = 1024 * 1024;

/** What the Docker driver asks of an engine, and what it makes of the answers. That an engine does what it is asked is the engine's to prove. */
describeWithStandIn('what is asked of it', (sandbox, engine) => {
  it('asks for a container without network, capabilities or privileges, read-only but for the workdir and /tmp, with all limits', async () => {
    const { facts } = await sandbox().run(':', {
      env: { SECRET: 'hunter2' },
      readOnlyPaths: ['/usr/share'],
      limits: { memoryBytes: 256 * MIB, processes: 40, fileSizeBytes: 8 * MIB, diskBytes: 64 * MIB },
    });
    const asked = engine().asked.at(-1);
    const ids = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    expect(asked).toMatchObject({
      Image: 'stand-in:1',
      User: ids.join(':'),
      Env: expect.arrayContaining(['HOSTNAME', 'NODE_VERSION', 'SECRET=hunter2', 'HOME=/tmp', 'TMPDIR=/tmp']),
      WorkingDir: '/workdir',
      Labels: { 'runledger.runner': expect.stringMatching(new RegExp(`^\\d+-${process.pid}-\\d+$`)) },
      StdinOnce: true,
      Tty: false,
      HostConfig: {
        Init: true,
        NetworkMode: 'none',
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        Privileged: false,
        IpcMode: 'private',
        LogConfig: { Type: 'none' },
        Memory: 272 * MIB,
        MemorySwap: 272 * MIB,
        PidsLimit: 640,
        Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${64 * MIB}` },
        Mounts: [
          { Type: 'bind', Source: sandbox().workdir, Target: '/workdir', ReadOnly: false },
          { Type: 'bind', Source: '/usr/share', Target: '/usr/share', ReadOnly: true },
        ],
      },
    });
    expect(asked?.HostConfig.Ulimits).toContainEqual({ Name: 'fsize', Soft: 8 * MIB, Hard: 8 * MIB });
    expect(facts).toMatchObject({
      driver: 'docker',
      network: 'none',
      memory: 'cgroup-v2',
      seccomp: 'engine',
      userNamespace: false,
    });
  });

  it('keeps the script out of what the engine remembers of the container', async () => {
    await sandbox().run('echo hush-hush');
    expect(JSON.stringify(engine().asked.at(-1))).not.toContain('hush-hush');
  });

  it('asks for the engine’s own network, never the host’s, when the command may have one', async () => {
    const { facts } = await sandbox().run(':', { network: 'full' });
    expect(engine().asked.at(-1)?.HostConfig['NetworkMode']).toBe('bridge');
    expect(facts['network']).toBe('full');
  });

  it('ends a command with too many processes', async () => {
    const run = await sandbox().run('for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait', { limits: { processes: 5 } });
    expect(run).toMatchObject({ failure: { code: 'PROCESS_LIMIT', message: expect.stringContaining('9 processes') } });
    expect(run.signalsSent).toEqual(['SIGKILL']);
    expect(run.facts['peakProcesses']).toBe(9);
  });

  it('says that memory was the reason when the engine says so', async () => {
    const run = await sandbox().run('echo up; sleep 60', {
      onOutput: () => engine().containers.forEach((container) => (container.oomKilled = true)),
    });
    expect(run).toMatchObject({ failure: { code: 'MEMORY_LIMIT' }, signalsSent: ['SIGKILL'] });
  });

  it.each([
    ['a file', { fileSizeBytes: MIB }, 'FILE_SIZE_LIMIT'],
    ['the workdir', { diskBytes: 8 * MIB }, 'DISK_LIMIT'],
  ])('bounds %s', async (_, limits, code) => {
    const run = await sandbox().run('head -c 20000000 /dev/zero > big', { limits });
    expect(run.failure).toMatchObject({ code });
  });

  it('carries much output in order and takes none of it for its own', async () => {
    const run = await sandbox().run(
      'seq 200000; echo "runledger:0123456789abcdef01234567:0:none" >&2; printf "runledger:" >&2; exit 4',
    );
    expect(run).toMatchObject({ exitCode: 4, stderr: 'runledger:0123456789abcdef01234567:0:none\nrunledger:' });
    expect(run.stdout).toBe(Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join(''));
  });

  it('has its container removed when the worker dies', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'docker-worker-'));
    const docker = JSON.stringify({ docker: { image: 'stand-in:1', socket: engine().socketPath } });
    const args = [
      'test/medium/sandbox/run-command.mjs',
      'docker',
      folder,
      folder,
      'mark',
      'touch up; sleep 60',
      docker,
    ];
    const worker = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await until(() => existsSync(join(folder, 'up')));
    const exited = once(worker, 'exit');
    worker.kill('SIGKILL');
    await exited;
    await until(() => engine().containers.size === 0);
    rmSync(folder, { recursive: true, force: true });
  });

  it('removes the containers of workers that are gone, and no others, when a worker starts', async () => {
    const stop = new AbortController();
    let counted = -1;
    await sandbox().run('echo up; sleep 60', {
      stop: stop.signal,
      onOutput: async () => {
        const [own] = [...engine().containers.values()];
        const namespace = own?.request.Labels['runledger.runner']?.split('-')[0];
        engine().plant({ 'runledger.runner': `${namespace}-999999-1` });
        engine().plant({ 'runledger.runner': `4-999999-1` });
        counted = await sandbox().driver.endAbandonedRuns();
        stop.abort();
      },
    });
    expect(counted).toBe(1);
    expect([...engine().containers.values()].map((one) => one.request.Labels)).toEqual([
      { 'runledger.runner': `4-999999-1` },
    ]);
    engine().containers.clear();
  });
});

describe('docker driver without what it needs', () => {
  const command = {
    script: ': > ran',
    workdir: tmpdir(),
    env: {},
    readOnlyPaths: [],
    graceMs: 100,
    limits: { timeoutMs: 5_000, memoryBytes: 512 * MIB, processes: 20, fileSizeBytes: MIB, diskBytes: MIB },
  };

  it('says that no engine answers, and runs nothing', async () => {
    const driver = createSandboxDriver('docker', { docker: { image: 'any', socket: '/no/such.sock' } });
    const reason = await driver.unavailable();
    expect(reason).toMatch(/no Docker engine answers at \/no\/such\.sock.*SANDBOX_DOCKER_SOCKET/);
    const result = await driver.run(command, () => undefined, new AbortController().signal);
    expect(result).toMatchObject({ exitCode: null, failure: { code: 'SANDBOX_UNAVAILABLE', message: reason } });
    await expect(driver.endAbandonedRuns()).resolves.toBe(0);
  });
});

describeWithStandIn('an image that it has not', (_, engine) => {
  it('says which to pull', async () => {
    const driver = createSandboxDriver('docker', { docker: { image: 'no/such:2', socket: engine().socketPath } });
    await expect(driver.unavailable()).resolves.toMatch(/docker pull no\/such:2.*SANDBOX_DOCKER_IMAGE/);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error('it did not happen');
    await sleep(20);
  }
}
