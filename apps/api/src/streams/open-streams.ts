import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';

/** Bytes that wait in this process for one slow client before the reading for it pauses. */
const BUFFER_BYTES = 65_536;

/** The event streams that are open, so that a stopping server can end them. */
@Injectable()
export class OpenStreams implements BeforeApplicationShutdown {
  private readonly stops = new Set<AbortController>();

  /** Sends frames as they are pulled, for as long as the client stays; a client that does not read stops the pulling. */
  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    open: (signal: AbortSignal) => AsyncGenerator<string, void>,
  ): Promise<void> {
    reply
      .header('Content-Type', 'text/event-stream; charset=utf-8')
      .header('Cache-Control', 'no-store, no-transform')
      .header('X-Accel-Buffering', 'no')
      // A connection that has carried a stream is not used again: a stopping server need not wait for it to become idle.
      .header('Connection', 'close');
    if (request.method === 'HEAD') {
      await reply.send();
      return;
    }
    const stop = new AbortController();
    this.stops.add(stop);
    const body = Readable.from(open(stop.signal), { objectMode: false, highWaterMark: BUFFER_BYTES });
    const end = (): void => {
      stop.abort();
      this.stops.delete(stop);
    };
    // Closed when everything was sent and when the client has gone. A generator that waits notices neither: the signal wakes it.
    reply.raw.once('close', end);
    await reply.send(body);
  }

  get count(): number {
    return this.stops.size;
  }

  beforeApplicationShutdown(): void {
    for (const stop of this.stops) stop.abort();
  }
}
