import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** The server says something at least every 15 s; after this long the connection counts as dead. */
const SILENCE_MS = 45_000;

/**
 * The messages of a `text/event-stream` body (WHATWG HTML, server-sent events), as they arrive. Ends when the body ends.
 * @throws what reading the body throws; a TimeoutError after `silenceMs` without a single byte
 */
export async function* eventStream(response: Response, silenceMs = SILENCE_MS): AsyncGenerator<EventSourceMessage> {
  if (response.body === null) return;
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await withinTime(reader.read(), silenceMs);
      if (done) return;
      parser.feed(value);
      yield* messages.splice(0);
    }
  } finally {
    // Also frees the connection; what was already lost needs no second report.
    await reader.cancel().catch(() => undefined);
  }
}

async function withinTime<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException('the event stream went silent', 'TimeoutError')), timeoutMs);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
