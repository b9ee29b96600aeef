import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** One event of a stream, its data read as JSON. */
export interface SseEvent {
  id: string | undefined;
  event: string;
  data: Record<string, unknown>;
}

/** A client that keeps what it has read. */
export interface SseClient {
  status: number;
  headers: Headers;
  events: SseEvent[];
  comments: string[];
  retryMs: number | undefined;
  /** Resolves when an event like this has come. */
  until(matches: (event: SseEvent) => boolean): Promise<SseEvent>;
  /** Resolves when the server has ended the stream. */
  ended: Promise<void>;
  leave(): void;
}

export async function follow(url: string, key: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: leaving.signal,
  });
  const events: SseEvent[] = [];
  const comments: string[] = [];
  const waiting = new Set<() => void>();
  const client = { retryMs: undefined as number | undefined };
  const parser = createParser({
    onEvent: (message: EventSourceMessage) => {
      events.push({
        id: message.id,
        event: message.event ?? 'message',
        data: JSON.parse(message.data) as Record<string, unknown>,
      });
      waiting.forEach((look) => look());
    },
    onComment: (comment) => comments.push(comment),
    onRetry: (interval) => (client.retryMs = interval),
  });
  const ended = (async () => {
    const decoder = new TextDecoder();
    try {
      for await (const bytes of response.body ?? []) parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    }
  })();
  ended.catch(() => undefined);
  return Object.assign(client, {
    ...{ status: response.status, headers: response.headers, events, comments, ended },
    until: (matches: (event: SseEvent) => boolean) =>
      new Promise<SseEvent>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`it did not come; what came: ${JSON.stringify(events.map((event) => event.event))}`)),
          20_000,
        );
        const look = (): void => {
          const found = events.find(matches);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    leave: () => leaving.abort(),
  });
}
