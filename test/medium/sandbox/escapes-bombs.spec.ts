import { jest } from '@jest/globals';
import { describeDrivers, describeIsolatingDrivers } from './describe-drivers.js';
import type { SandboxFixture } from './sandbox-fixture.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const LIMITS = { memoryBytes: 128 * MIB, diskBytes: 40 * MIB, timeoutMs: 30_000 };

/** Fork bombs are in the conformance tests of the limits. */
describeDrivers('disk bombs', (_, sandbox) => {
  it.each([
    ['one large file', 'head -c 60000000 /dev/zero > big; sleep 20'],
    ['many files', 'i=0; while [ $i -lt 80 ]; do head -c 1000000 /dev/zero > f$i; i=$((i + 1)); done; sleep 20'],
    [
      'files in deep folders',
      'mkdir -p a/b/c/d; for n in 1 2 3; do head -c 20000000 /dev/zero > a/b/c/d/$n; done; sleep 20',
    ],
    [
      'a folder that it has closed',
      'mkdir hidden; head -c 60000000 /dev/zero > hidden/big; chmod 000 hidden; sleep 20',
    ],
    [
      'the folder for temporary files and the workdir together',
      'head -c 25000000 /dev/zero > "$TMPDIR/a"; head -c 25000000 /dev/zero > b; sleep 20',
    ],
  ])('ends one of %s', async (_name, script) => {
    const run = await sandbox().run(script, { limits: LIMITS });
    expect(run).toMatchObject({ failure: { code: 'DISK_LIMIT', message: expect.stringContaining('40 MiB') } });
    expect(run.signalsSent).toContain('SIGKILL');
    expect(run.elapsedMs).toBeLessThan(15_000);
    await sandbox().run('chmod -R u+rwx .');
  });

  it('tells it also of one that ended at once', async () => {
    const run = await sandbox().run('head -c 60000000 /dev/zero > big', { limits: LIMITS });
    expect(run).toMatchObject({ failure: { code: 'DISK_LIMIT' } });
  });

  it('lets one be that stays below, and counts a file with several names once', async () => {
    const script =
      'head -c 25000000 /dev/zero > a; ln a b; ln a c; sleep 2.5; rm a b c; head -c 25000000 /dev/zero > d';
    await expect(sandbox().run(script, { limits: LIMITS })).resolves.toMatchObject({ failure: null, exitCode: 0 });
  });
});

describeIsolatingDrivers('bombs', (name, sandbox) => {
  if (name === 'bubblewrap') {
    it('ends one that fills files without a name', async () => {
      const script =
        'perl -e \'for (1..6) { open my $f, "+>", "x" or die; unlink "x"; syswrite $f, "x" x 10_000_000; push @f, $f } sleep 20\'';
      const run = await sandbox().run(script, { limits: LIMITS });
      expect(run).toMatchObject({ failure: { code: 'DISK_LIMIT' } });
    });
  }

  it.each([
    ['at once', 'perl -e \'$x = "x" x (1 << 30); sleep 20\''],
    ['in a process that hides', 'setsid env -i perl -e \'push @x, "x" x (16 << 20) while 1\' & wait'],
    [
      'in memory that has a file name',
      'head -c 45000000 /dev/zero > /tmp/a; perl -e \'push @x, "x" x (8 << 20) while 1\'',
    ],
  ])('has the kernel end one of memory, %s, and says so', async (_, script) => {
    if (!(await heldByKernel(sandbox()))) return;
    const run = await sandbox().run(script, { limits: { ...LIMITS, diskBytes: 1024 * MIB } });
    expect(run).toMatchObject({ failure: { code: 'MEMORY_LIMIT', message: expect.stringContaining('128 MiB') } });
    expect(run.elapsedMs).toBeLessThan(15_000);
  });

  it('says nothing of memory when another SIGKILL ended it', async () => {
    const run = await sandbox().run('perl -e \'$x = "x" x (20 << 20); kill KILL => $$\'', { limits: LIMITS });
    expect(run).toMatchObject({ failure: null, exitCode: 137, signal: 'SIGKILL' });
  });
});

async function heldByKernel(sandbox: SandboxFixture): Promise<boolean> {
  const { facts } = await sandbox.run(':');
  const held = String(facts['memory']).startsWith('cgroup');
  if (!held)
    process.stderr.write('left out, because this host gives no memory control group: memory ended by the kernel\n');
  return held;
}
