import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { StandInContainer, type ContainerRequest } from './stand-in-container.js';

const IMAGE_ENVIRONMENT = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NODE_VERSION=20.0.0'];

/**
 * Speaks as much of the Docker Engine's HTTP API as the driver uses (docs.docker.com/reference/api/engine), and runs what it is asked to
 * run with bubblewrap: a PID namespace, a read-only root, a workdir. It is no test of an engine's isolation, only of what is asked of one.
 */
export class StandInEngine {
  readonly containers = new Map<string, StandInContainer>();
  /** Bodies of all `POST /containers/create`. */
  readonly asked: ContainerRequest[] = [];
  /** `METHOD path` of all requests. */
  readonly requests: string[] = [];
  images = ['stand-in:1'];
  private readonly server: Server;

  static async listen(socketPath: string): Promise<StandInEngine> {
    const engine = new StandInEngine(socketPath);
    await new Promise<void>((resolve) => engine.server.listen(socketPath, resolve));
    return engine;
  }

  private constructor(readonly socketPath: string) {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.on('upgrade', (request: IncomingMessage, socket: Socket) => this.upgrade(request, socket));
  }

  /** Waits until no connection to it is open. */
  async quiet(): Promise<void> {
    const open = (): Promise<number> =>
      new Promise((resolve) => this.server.getConnections((_, count) => resolve(count)));
    do await new Promise((resolve) => setTimeout(resolve, 5));
    while ((await open()) > 0);
  }

  /** A container that nobody of this test has started. */
  plant(labels: Record<string, string>): void {
    const request = {
      Image: '',
      Entrypoint: [],
      Cmd: [],
      User: '',
      Env: [],
      Labels: labels,
      HostConfig: { Mounts: [], Ulimits: [] },
    };
    const container = new StandInContainer('planted', request, []);
    this.containers.set(container.id, container);
  }

  async close(): Promise<void> {
    for (const container of this.containers.values()) container.kill();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://engine');
    const path = url.pathname.replace(/^\/v1\.\d+/, '');
    this.requests.push(`${request.method} ${path}`);
    const body = await readBody(request);
    const say = (status: number, content?: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'api-version': '1.43' });
      response.end(content === undefined ? undefined : JSON.stringify(content));
    };
    if (path === '/_ping') return say(200, 'OK');
    if (path === '/info')
      return say(200, { ServerVersion: '99', SecurityOptions: ['name=seccomp,profile=builtin'], CgroupVersion: '2' });
    if (path.startsWith('/images/')) return this.image(path, say);
    if (path === '/containers/create') return this.create(url, body as ContainerRequest, say);
    if (path === '/containers/json')
      return say(
        200,
        [...this.containers.values()].map((one) => one.summary()),
      );
    const [, kind = '', id = '', action = ''] = path.split('/');
    const container = this.find(kind === 'exec' ? id.replace(/^exec-/, '') : id);
    if (container === undefined) return say(404, { message: `No such container: ${id}` });
    if (request.method === 'DELETE') return void this.remove(container, say);
    await act(kind === 'exec' ? 'exec-start' : action, container, say);
  }

  private image(path: string, say: Say): void {
    const known = this.images.includes(decodeURIComponent(path.split('/')[2] ?? ''));
    if (known) say(200, { Config: { Env: IMAGE_ENVIRONMENT } });
    else say(404, { message: 'No such image' });
  }

  private create(url: URL, body: ContainerRequest, say: Say): void {
    this.asked.push(body);
    const container = new StandInContainer(url.searchParams.get('name') ?? '', body, IMAGE_ENVIRONMENT);
    this.containers.set(container.id, container);
    say(201, { Id: container.id, Warnings: [] });
  }

  private async remove(container: StandInContainer, say: Say): Promise<void> {
    container.kill();
    await container.ended;
    this.containers.delete(container.id);
    say(204);
  }

  private find(name: string): StandInContainer | undefined {
    return this.containers.get(name) ?? [...this.containers.values()].find((container) => container.name === name);
  }

  private upgrade(request: IncomingMessage, socket: Socket): void {
    this.requests.push(`${request.method} attach`);
    const container = this.find(/containers\/([^/]+)\/attach/.exec(request.url ?? '')?.[1] ?? '');
    if (container === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
    socket.write(
      'HTTP/1.1 101 UPGRADED\r\ncontent-type: application/vnd.docker.raw-stream\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n',
    );
    container.attach(socket);
  }
}

type Say = (status: number, content?: unknown) => void;

async function act(action: string, container: StandInContainer, say: Say): Promise<void> {
  switch (action) {
    case 'start':
      container.start();
      return say(204);
    case 'wait':
      return say(200, { StatusCode: await container.ended });
    case 'kill':
      container.kill();
      return say(204);
    case 'exec':
      return say(201, { Id: `exec-${container.id}` });
    case 'exec-start':
      container.askAll();
      return say(200);
    case 'top':
      return say(200, { Titles: ['PID'], Processes: container.processIds().map((pid) => [String(pid)]) });
    case 'json':
      return say(200, { State: { OOMKilled: container.oomKilled } });
    case 'stats':
      return say(200, { memory_stats: { usage: 12_345 } });
    default:
      return say(404, { message: `page not found: ${action}` });
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? undefined : JSON.parse(text);
}
