import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** The caller's own id of a request where it is fit to be logged, a new one otherwise. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/** Answers of the API are data: nothing in them may ever run. */
const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";
/** The two pages bring their own scripts, and style themselves inline. */
const PAGE_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'";

export interface RequestRecord {
  id: string;
  method: string;
  path: string;
  /** The route's template; undefined when none matched. */
  route: string | undefined;
  status: number;
  milliseconds: number;
}

/** What belongs to every request: its id, the headers that keep browsers careful, and a record of how it went. */
export function registerHooks(fastify: FastifyInstance, onAnswered: (record: RequestRecord) => void): void {
  fastify.decorateRequest('caller', null);
  fastify.addHook('onRequest', (request, reply, done) => {
    const page = request.url.startsWith('/docs') || request.url.startsWith('/admin/');
    reply
      .headers(HEADERS)
      .header('X-Request-Id', request.id)
      .header('Content-Security-Policy', page ? PAGE_POLICY : DATA_POLICY);
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const { id, method, url, routeOptions } = request;
    onAnswered({
      id,
      method,
      path: url.split('?')[0] ?? url,
      route: routeOptions.url,
      status: reply.statusCode,
      milliseconds: reply.elapsedTime,
    });
    done();
  });
}
