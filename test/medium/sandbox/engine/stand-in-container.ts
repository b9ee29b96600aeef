import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { processIds } from '../host-processes.js';

/** What the driver asks for, as far as tests look at it. */
export interface ContainerRequest {
  Image: string;
  Entrypoint: string[];
  Cmd: string[];
  User: string;
  Env: string[];
  Labels: Record<string, string>;
  HostConfig: Record<string, unknown> & {
    Mounts: { Source: string; Target: string; ReadOnly: boolean }[];
    Ulimits: { Name: string; Hard: number }[];
  };
}

const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/opt', '/etc'];
/** Docker gives pipes for output and no descriptor beyond; Node's own are sockets, and it passes on what it has inherited. */
const WITH_PIPES = `ulimit -f "$1"; shift
exec > >(exec cat) 2> >(exec cat >&2)
for fd in /dev/fd/*; do [ "\${fd##*/}" -le 2 ] || eval "exec \${fd##*/}>&-"; done
exec "$@"`;

/** A container of the stand-in engine: bubblewrap's init is the container's. */
export class StandInContainer {
  readonly id = randomUUID();
  oomKilled = false;
  /** The exit code. */
  readonly ended: Promise<number>;
  private child: ChildProcess | undefined;
  private connection: Socket | undefined;
  private end: (code: number) => void = () => undefined;

  constructor(
    readonly name: string,
    readonly request: ContainerRequest,
    private readonly imageEnvironment: string[],
  ) {
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  summary(): unknown {
    return { Id: this.id, Labels: this.request.Labels };
  }

  attach(socket: Socket): void {
    this.connection = socket;
    socket.on('error', () => undefined);
  }

  start(): void {
    const fileSize = this.request.HostConfig.Ulimits.find(({ Name }) => Name === 'fsize')?.Hard ?? 0;
    const command = ['bwrap', ...this.isolation(), '--', ...this.request.Entrypoint, ...this.request.Cmd];
    const child = spawn('/bin/bash', ['-c', WITH_PIPES, 'pipes', String(Math.ceil(fileSize / 1024)), ...command], {
      stdio: 'pipe',
      // Bash reads ~/.bashrc when its input is a socket, unless it is below another shell.
      env: { PATH: process.env['PATH'], SHLVL: '1' },
    });
    this.child = child;
    child.stdin.on('error', () => undefined);
    this.connection?.pipe(child.stdin);
    this.frame(1, child.stdout);
    this.frame(2, child.stderr);
    child.on('close', (code, signal) => {
      this.connection?.end();
      this.end(signal === null ? (code ?? 0) : 137);
    });
  }

  kill(): void {
    if (this.child === undefined) this.end(137);
    this.child?.kill('SIGKILL');
  }

  /** What `kill -s TERM -- -1` in the container does: the kernel asks all at once, this has to look again for who was forked meanwhile. */
  askAll(): void {
    const asked = new Set<number>();
    const ask = (pids: number[]): void => {
      for (const pid of pids.filter((one) => !asked.has(one))) {
        asked.add(pid);
        try {
          process.kill(pid, 'SIGTERM');
        } catch {
          // It has ended meanwhile.
        }
      }
    };
    ask(this.processIds().slice(1));
    for (const delay of [20, 60, 150, 300]) setTimeout(() => ask(this.orphans()), delay);
  }

  private orphans(): number[] {
    const [init, ...others] = this.processIds();
    return others.filter((pid) => parentOf(String(pid)) === init);
  }

  /** The container's processes by their numbers on the host; its init is the first. */
  processIds(): number[] {
    const parents = new Map(processIds().map((pid) => [Number(pid), parentOf(pid)]));
    const childrenOf = (pid: number): number[] =>
      [...parents].flatMap(([child, parent]) => (parent === pid ? [child] : []));
    const init = childrenOf(this.child?.pid ?? -1).find((pid) => readName(pid) === 'bwrap');
    const found = init === undefined ? [] : [init];
    for (const pid of found) found.push(...childrenOf(pid));
    return found;
  }

  private isolation(): string[] {
    const node = dirname(dirname(process.execPath));
    const mounts = this.request.HostConfig.Mounts.flatMap(({ Source, Target, ReadOnly }) => [
      ReadOnly ? '--ro-bind' : '--bind',
      Source,
      Target,
    ]);
    return [
      ...['--unshare-all', '--new-session', '--die-with-parent', '--cap-drop', 'ALL', '--clearenv'],
      ...[...SYSTEM, node].filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', path, path]),
      ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', ...mounts, '--chdir', '/workdir'],
      ...this.environment().flatMap(([name, value]) => ['--setenv', name, value]),
    ];
  }

  private environment(): [string, string][] {
    const variables = new Map([['HOSTNAME', this.id.slice(0, 12)]]);
    for (const entry of [...this.imageEnvironment, ...this.request.Env]) {
      const at = entry.indexOf('=');
      if (at < 0) variables.delete(entry);
      else variables.set(entry.slice(0, at), entry.slice(at + 1));
    }
    // The image of the stand-in is this host, whose Node may be elsewhere.
    variables.set('PATH', `${dirname(process.execPath)}:${variables.get('PATH') ?? ''}`);
    return [...variables];
  }

  private frame(stream: number, source: Readable): void {
    source.on('data', (bytes: Buffer) => {
      const header = Buffer.alloc(8);
      header.writeUInt8(stream, 0);
      header.writeUInt32BE(bytes.length, 4);
      this.connection?.write(header);
      if (this.connection?.write(bytes) === false) {
        source.pause();
        this.connection.once('drain', () => source.resume());
      }
    });
  }
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function readName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
