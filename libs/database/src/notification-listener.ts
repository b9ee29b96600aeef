import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Ends with `close()`. */
export interface Listener {
  close(): Promise<void>;
}

interface Handler {
  channel: string;
  onPayload: (payload: string) => void;
  onReconnect: (() => void) | undefined;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** A connection whose peer has vanished looks alive for many minutes; asking now and then finds out. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_TIMEOUT_MS = 5_000;

/** One connection for all LISTENs of a process. It is opened for the first of them and comes back when it is lost. */
export class NotificationListener {
  private readonly handlers = new Set<Handler>();
  private client: pg.Client | undefined;
  private connecting: Promise<void> | undefined;
  private asked: Promise<unknown> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(private readonly createClient: () => pg.Client) {}

  /** Resolves when the server listens. */
  async listen(channel: string, onPayload: (payload: string) => void, onReconnect?: () => void): Promise<Listener> {
    const handler: Handler = { channel, onPayload, onReconnect };
    this.handlers.add(handler);
    try {
      // A connection that is being made may have asked for its channels before this one came: asking twice does no harm.
      if (this.client === undefined)
        await (this.connecting ??= this.connect().finally(() => (this.connecting = undefined)));
      await this.ask(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      this.handlers.delete(handler);
      throw error;
    }
    return { close: () => this.stopListening(handler) };
  }

  async close(): Promise<void> {
    this.stopped.abort();
    this.handlers.clear();
    await this.connecting?.catch(() => undefined);
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async stopListening(handler: Handler): Promise<void> {
    this.handlers.delete(handler);
    const stillUsed = [...this.handlers].some((other) => other.channel === handler.channel);
    if (!stillUsed) await this.ask(`UNLISTEN ${pg.escapeIdentifier(handler.channel)}`).catch(() => undefined);
  }

  /** One statement after the other: a connection of pg's is not to be asked while it answers. */
  private ask(sql: string): Promise<unknown> {
    const answer = this.asked.then(() => this.client?.query(sql));
    this.asked = answer.catch(() => undefined);
    return answer;
  }

  private async connect(): Promise<void> {
    const client = this.createClient();
    client.on('error', () => this.lost(client));
    client.on('end', () => this.lost(client));
    client.on('notification', ({ channel, payload }) => {
      for (const handler of this.handlers) if (handler.channel === channel) handler.onPayload(payload ?? '');
    });
    try {
      await client.connect();
      const channels = new Set([...this.handlers].map((handler) => pg.escapeIdentifier(handler.channel)));
      if (channels.size > 0) await client.query([...channels].map((channel) => `LISTEN ${channel}`).join('; '));
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    this.client = client;
    void this.watch(client);
  }

  private async watch(client: pg.Client): Promise<void> {
    while (this.client === client) {
      await delay(HEARTBEAT_MS, undefined, { ref: false, signal: this.stopped.signal }).catch(() => undefined);
      if (this.client !== client || this.stopped.signal.aborted) return;
      const answered = await Promise.race([
        this.ask('SELECT 1').then(
          () => true,
          () => false,
        ),
        delay(HEARTBEAT_TIMEOUT_MS, false, { ref: false }),
      ]);
      if (!answered) this.lost(client);
    }
  }

  private lost(client: pg.Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    void client.end().catch(() => undefined);
    if (!this.stopped.signal.aborted) this.connecting = this.reconnect().finally(() => (this.connecting = undefined));
  }

  /** Tries until it succeeds, then tells everybody that notifications may have been missed. */
  private async reconnect(): Promise<void> {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      // Half of the pause is random: many processes must not come back in step.
      await delay(wait / 2 + Math.random() * (wait / 2), undefined, { signal: this.stopped.signal }).catch(
        () => undefined,
      );
      if (this.stopped.signal.aborted) return;
      try {
        await this.connect();
      } catch {
        continue;
      }
      for (const handler of this.handlers) handler.onReconnect?.();
      return;
    }
  }
}
