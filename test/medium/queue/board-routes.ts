import type {
  AppControllerRoute,
  BullBoardQueues,
  ControllerHandlerReturnType,
  IServerAdapter,
} from '@bull-board/api/typings/app';
import type { FastifyInstance } from 'fastify';

/**
 * The board's API without its page. @bull-board/fastify itself cannot be loaded here: it requires an ES module, which Jest cannot
 * do before Node 24.9.
 */
export class BoardRoutes implements IServerAdapter {
  private queues: BullBoardQueues = new Map();
  private routes: AppControllerRoute[] = [];
  private onError: (error: Error) => ControllerHandlerReturnType = ({ message }) => ({ status: 500, body: message });

  setQueues(queues: BullBoardQueues): this {
    this.queues = queues;
    return this;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    this.routes = routes;
    return this;
  }

  setErrorHandler(handler: (error: Error) => ControllerHandlerReturnType): this {
    this.onError = handler;
    return this;
  }

  setViewsPath(): this {
    return this;
  }

  setStaticPath(): this {
    return this;
  }

  setEntryRoute(): this {
    return this;
  }

  setUIConfig(): this {
    return this;
  }

  mount(server: FastifyInstance): void {
    for (const { method, route, handler } of this.routes) {
      for (const url of [route].flat()) {
        server.route<{
          Params: Record<string, string>;
          Querystring: Record<string, string>;
          Body: Record<string, unknown>;
        }>({
          method: [method].flat().map((name) => name.toUpperCase()),
          url,
          handler: async ({ params, query, body }, reply) => {
            const answer = await handler({ queues: this.queues, uiConfig: {}, params, query, body, headers: {} });
            return reply.status(answer.status ?? 200).send(answer.body);
          },
        });
      }
    }
    server.setErrorHandler<Error>((error, _request, reply) => {
      const answer = this.onError(error);
      return reply.status(answer.status ?? 500).send(answer.body);
    });
  }
}
