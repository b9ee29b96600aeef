import { createBullBoard } from '@bull-board/api';
import { FastifyAdapter as BoardAdapter } from '@bull-board/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKeys } from '#identity';
import { AppError } from '#kernel';
import { boardAdapters, type QueueProducer } from '#queue';
import { toAppError } from '../http/framework-errors.js';
import { sendProblem } from '../http/send-problem.js';

const PATH = '/admin/queues';

/** The queues in a browser, for who has a key with the scope `admin`: any user name, the key as the password. */
export function registerQueueBoard(fastify: FastifyInstance, queue: QueueProducer, keys: ApiKeys): void {
  const board = new BoardAdapter();
  board.setBasePath(PATH);
  createBullBoard({
    queues: boardAdapters(queue),
    serverAdapter: board,
    options: { uiConfig: { boardTitle: 'Runledger queues' } },
  });
  void fastify.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => requireAdmin(keys, request, reply));
    await scope.register(board.registerPlugin(), { prefix: PATH });
  });
}

async function requireAdmin(
  keys: ApiKeys,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  try {
    const caller = await keys.authenticate(basicPassword(request.headers.authorization));
    if (!caller.scopes.includes('admin'))
      throw new AppError('UNAUTHENTICATED', 'This API key lacks the scope "admin".');
    return undefined;
  } catch (thrown) {
    const error = toAppError(thrown);
    sendProblem(reply, error, 'Basic realm="runledger", charset="UTF-8"');
    return reply;
  }
}

/** RFC 7617: base64 of `user:password`; the user is of no interest. */
function basicPassword(header: string | undefined): string {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1];
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8')) ?? [];
  if (password === undefined)
    throw new AppError(
      'UNAUTHENTICATED',
      'Log in with any user name and an API key with the scope "admin" as the password.',
    );
  return password;
}
