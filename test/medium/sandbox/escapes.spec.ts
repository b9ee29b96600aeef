import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { freePort, startPostgresServer, type PostgresServer } from '../../../libs/database/src/postgres-server.js';
import { postgresAccount } from '../../../libs/database/src/postgres-account.js';
import { describeIsolatingDrivers } from './describe-drivers.js';
import { HIDING, hiding } from './hiding.js';
import { SandboxFixture, type RunOptions } from './sandbox-fixture.js';

jest.setTimeout(60_000);

/** Answers on a socket, so that a test knows who was reached and not only that a connect failed. */
const CONNECT = `const [, where] = process.argv; const s = require('net').connect(/^\\d+$/.test(where) ? { port: +where, host: '127.0.0.1' } : where.replace(/^@/, '\\0'));
s.on('connect', () => s.write('\\0\\0\\0\\x08\\x04\\xd2\\x16\\x2f', 'latin1')); s.on('data', () => { console.log('reached'); s.destroy(); });
s.on('error', () => console.log('refused'));`;
/** Reads what is at an address of a process, by its file and by system call. */
const READ_MEMORY = `my ($pid, $address, $length) = @ARGV; my $got = "";
if (open my $f, "<", "/proc/$pid/mem") { sysseek $f, $address, 0; sysread $f, $got, $length; }
if ($got eq "") { $got = "\\0" x $length; my $local = pack "QQ", unpack("Q", pack "p", $got), $length; my $remote = pack "QQ", $address, $length;
  syscall(PROCESS_VM_READV, $pid, $local, 1, $remote, 1, 0) == $length or $got = ""; }
print $got eq "" ? "refused\\n" : "read $got\\n";`.replace(
  'PROCESS_VM_READV',
  process.arch === 'arm64' ? '270' : '310',
);

/**
 * Ways out that were tried by others. Each attempt is made twice: without isolation, where it must succeed, so that it is known to be
 * an attempt; and in the sandbox.
 */
describeIsolatingDrivers('escapes', (_, sandbox) => {
  let outside: string;
  let open: SandboxFixture;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'outside-'));
    open = new SandboxFixture('process');
  });
  afterEach(async () => {
    await open.close();
    rmSync(outside, { recursive: true, force: true });
  });

  async function attempt(script: string, options: RunOptions = {}): Promise<{ free: string; held: string }> {
    const free = await open.run(script, options);
    const held = await sandbox().run(script, options);
    return { free: free.stdout, held: held.stdout };
  }

  it('reads no environment of the worker', async () => {
    const script = `(tr '\\0' '\\n' < /proc/${process.pid}/environ | grep -q ^PATH=) 2>/dev/null && echo read || echo none`;
    await expect(attempt(script)).resolves.toEqual({ free: 'read\n', held: 'none\n' });
    // Not by another number either: whatever it can see has none of it.
    const all = await sandbox().run(`cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c ^JEST_WORKER_ID= || true`);
    expect(all.stdout).toBe('0\n');
  });

  it('reads no memory of the worker', async () => {
    const maps =
      readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .find((line) => /^\S+ r-/.test(line)) ?? '';
    const address = `0x${maps.split('-')[0]}`;
    const script = `perl -e "$READ" ${process.pid} ${BigInt(address)} 4 | cut -c 1-5`;
    await expect(attempt(script, { env: { READ: READ_MEMORY } })).resolves.toEqual({
      free: 'read \n',
      held: 'refus\n',
    });
  });

  it('reads and writes no file of the host', async () => {
    const secret = join(outside, 'secret');
    writeFileSync(secret, 'hunter2');
    const script = `cat ${secret} 2>/dev/null || echo unseen; (echo more >> ${secret}) 2>/dev/null && echo written || echo refused`;
    await expect(attempt(script)).resolves.toEqual({ free: 'hunter2written\n', held: 'unseen\nrefused\n' });
    expect(readFileSync(secret, 'utf8')).toBe('hunter2more\n');
  });

  it('follows no link of its workdir to the host, whoever made it', async () => {
    writeFileSync(join(outside, 'secret'), 'hunter2');
    for (const workdir of [open.workdir, sandbox().workdir]) symlinkSync(outside, join(workdir, 'made-outside'));
    const script = `ln -s ${outside} made-inside; for link in made-*; do cat $link/secret 2>/dev/null || echo dead; (: > $link/$link) 2>/dev/null || echo dead; done`;
    await expect(attempt(script)).resolves.toEqual({ free: 'hunter2hunter2', held: 'dead\ndead\ndead\ndead\n' });
  });

  it('finds no workdir of another job, not while that runs either', async () => {
    const other = new SandboxFixture('bubblewrap');
    writeFileSync(join(other.workdir, 'secret'), 'hunter2');
    let running = (): void => undefined;
    const up = new Promise<void>((resolve) => (running = resolve));
    const stop = new AbortController();
    const neighbour = other.run('echo up; sleep 60', { stop: stop.signal, onOutput: () => running() });
    await up;
    const script = `found=; for place in ${other.workdir} /proc/[0-9]*/root/workdir /proc/[0-9]*/cwd; do grep -qs hunter2 $place/secret && found=yes; done; echo "\${found:-none}"`;
    const result = await attempt(script);
    stop.abort();
    await neighbour;
    await other.close();
    expect(result).toEqual({ free: 'yes\n', held: 'none\n' });
  });

  it('reaches no service on the loopback, and no Unix socket by name or abstract', async () => {
    const where: (string | number)[] = [0, join(outside, 'service.sock'), `\0runledger-escape-${process.pid}`];
    const servers = await Promise.all(where.map(listen));
    const address = servers[0]?.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const script = `for where in ${port} ${where[1]} @runledger-escape-${process.pid}; do node -e "$CONNECT" $where; done`;
    const result = await attempt(script, { env: { CONNECT } });
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    expect(result).toEqual({ free: 'reached\n'.repeat(3), held: 'refused\n'.repeat(3) });
  });

  it('reaches no PostgreSQL by its Unix socket, with the network or without', async () => {
    const { server, socket } = await startPostgres(outside);
    const script = `node -e "$CONNECT" ${socket}`;
    try {
      await expect(attempt(script, { env: { CONNECT } })).resolves.toEqual({ free: 'reached\n', held: 'refused\n' });
      const withNetwork = await sandbox().run(script, { env: { CONNECT }, network: 'full' });
      expect(withNetwork.stdout).toBe('refused\n');
    } finally {
      await server.stop();
    }
  });

  it('leaves nothing running that hides from its ending', async () => {
    const run = await sandbox().run(HIDING);
    expect(run).toMatchObject({ exitCode: 0, stdout: 'done\n' });
    expect(hiding()).toEqual([]);
  });
});

async function listen(where: string | number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume().end('hello');
  });
  await new Promise<void>((resolve) =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  );
  return server;
}

async function startPostgres(outside: string): Promise<{ server: PostgresServer; socket: string }> {
  const folder = join(outside, 'pg');
  mkdirSync(folder, { mode: 0o755 });
  const { uid, gid } = postgresAccount().ids;
  if (uid !== undefined && gid !== undefined) for (const path of [outside, folder]) chownSync(path, uid, gid);
  // Only the sandbox stands between the command and the socket.
  chmodSync(outside, 0o755);
  const port = await freePort();
  const settings = { listen_addresses: '', unix_socket_directories: folder, fsync: 'off' };
  const server = await startPostgresServer({ folder, superuser: 'owner', password: 'hunter2', port, settings });
  return { server, socket: join(folder, `.s.PGSQL.${port}`) };
}
