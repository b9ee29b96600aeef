import type { FastifyReply } from 'fastify';
import type { AppError } from '#kernel';
import { PROBLEM_TYPES } from './problem-types.js';
import { toProblem } from './problem.js';

/**
 * Answers with an error, in the form and with the headers that belong to it.
 * @param challenge how to authenticate, for a 401
 */
export function sendProblem(reply: FastifyReply, error: AppError, challenge = 'Bearer realm="runledger"'): void {
  const problem = toProblem(error);
  const { retryAfterSeconds } = PROBLEM_TYPES[error.code];
  // Headers of the answer that was being prepared describe bytes that will not come.
  for (const name of ['content-length', 'content-disposition', 'etag', 'accept-ranges', 'content-range'])
    reply.removeHeader(name);
  if (problem.status === 401) reply.header('WWW-Authenticate', challenge);
  if (retryAfterSeconds !== undefined) reply.header('Retry-After', String(retryAfterSeconds));
  const { allow, contentRange } = error.details;
  if (typeof allow === 'string') reply.header('Allow', allow);
  if (typeof contentRange === 'string') reply.header('Content-Range', contentRange);
  // Serialised here: the text goes out as it is, whatever the content type.
  void reply
    .code(problem.status)
    .header('Content-Type', 'application/problem+json; charset=utf-8')
    .header('Cache-Control', 'no-store')
    .send(JSON.stringify(problem));
}
