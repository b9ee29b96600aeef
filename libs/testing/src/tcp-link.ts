import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What looks at one connection's bytes on their way. Returns the bytes to send on, which may be none. */
export interface LinkTap {
  toServer(bytes: Buffer): Buffer;
  toClient(bytes: Buffer): Buffer;
}

/** A way to a server that can fail as networks do. */
export interface TcpLink {
  /** The given URL, through here. */
  url: string;
  /** Bytes stop in both directions and nobody is told: connections stay, new ones are made and stay silent. What was sent meanwhile arrives after `restore`. */
  stall(): void;
  /** Resets every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Forgets what was under way: connections that exist stay silent for ever, new ones work. */
  blackHole(): void;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** @param tap called for each new connection */
export async function openLink(target: string, tap?: () => LinkTap): Promise<TcpLink> {
  const url = new URL(target);
  const goal = { host: url.hostname, port: Number(url.port) };
  const pairs = new Set<Pair>();
  const lost = new Set<Pair>();
  let stalled = false;
  const accept = (near: Socket): void => {
    const pair = new Pair(near, connect(goal), tap?.() ?? null);
    pairs.add(pair);
    pair.onClose(() => pairs.delete(pair) || lost.delete(pair));
    if (stalled) pair.pause();
  };
  const listen = async (port: number): Promise<Server> => {
    const opened = createServer(accept).listen(port, '127.0.0.1');
    await once(opened, 'listening');
    return opened;
  };
  let server = await listen(0);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cut = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const pair of [...pairs, ...lost]) pair.reset();
    await closed;
  };
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    stall: () => {
      stalled = true;
      for (const pair of pairs) pair.pause();
    },
    cut,
    blackHole: () => {
      for (const pair of pairs) {
        pair.pause();
        lost.add(pair);
      }
      pairs.clear();
    },
    restore: async () => {
      stalled = false;
      for (const pair of pairs) pair.resume();
      if (!server.listening) server = await listen(port);
    },
    close: async () => (server.listening ? cut() : undefined),
  };
}

/** A client's connection and ours to the server. */
class Pair {
  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    tap: LinkTap | null,
  ) {
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.carry(near, far, tap === null ? null : (bytes) => tap.toServer(bytes));
    this.carry(far, near, tap === null ? null : (bytes) => tap.toClient(bytes));
  }

  onClose(callback: () => void): void {
    this.near.once('close', callback);
  }

  pause(): void {
    this.near.pause();
    this.far.pause();
  }

  resume(): void {
    this.near.resume();
    this.far.resume();
  }

  reset(): void {
    // A socket that has said goodbye cannot be reset any more; Node would keep its handle for ever (libuv: uv_tcp_close_reset).
    for (const socket of [this.near, this.far]) {
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  private carry(from: Socket, to: Socket, look: ((bytes: Buffer) => Buffer) | null): void {
    from
      .on('data', (bytes: Buffer) => {
        const onward = look === null ? bytes : look(bytes);
        if (onward.length > 0 && !to.destroyed) to.write(onward);
      })
      .on('end', () => to.end())
      .on('error', () => to.destroy())
      .on('close', () => to.end());
  }
}
