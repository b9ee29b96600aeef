import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config, ProcessLog } from '#config';
import { ApiKeys } from '#identity';
import { QueueProducer } from '#queue';
import { registerQueueBoard } from './admin/queue-board.js';
import { ApiModule } from './api.module.js';
import { BODY_LIMIT_BYTES, registerBodyLimits } from './http/body-limit.js';
import { registerBodyParsers } from './http/body-parsers.js';
import { registerHooks, requestId } from './http/hooks.js';
import { notFound } from './http/problem.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RouteTable } from './http/route-table.js';
import { sendProblem } from './http/send-problem.js';
import { Metrics } from './metrics/metrics.js';
import { buildDocument } from './openapi/document.js';

/** The application, wired and ready to listen. Connects to the database when it is initialised. */
export async function createApp(config: Config, log: ProcessLog): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: requestId,
    requestIdHeader: false,
    // A path that cannot be decoded names nothing.
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply.header('X-Request-Id', request.id), notFound()),
  });
  const routes = new RouteTable();
  const fastify = adapter.getInstance<FastifyInstance>();
  routes.watch(fastify);
  registerBodyLimits(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.forRoot(config), adapter, {
    logger: log,
    abortOnError: false,
    bodyParser: false,
  });
  const metrics = app.get(Metrics);
  registerHooks(fastify, ({ id, method, path, route, status, milliseconds }) => {
    metrics.observeRequest(method, route ?? 'none', status, milliseconds / 1_000);
    log.pino.debug({ requestId: id, method, path, status, milliseconds }, 'answered');
  });
  registerBodyParsers(fastify);
  registerQueueBoard(fastify, app.get(QueueProducer), app.get(ApiKeys));
  app.useGlobalFilters(new ProblemFilter(routes));
  setUpDocs(app);
  return app;
}

function setUpDocs(app: NestFastifyApplication): void {
  // Built when somebody asks for the first time: a start should not wait for it.
  SwaggerModule.setup('docs', app, () => buildDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Runledger API',
    customCss: '.swagger-ui .topbar { display: none }',
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      docExpansion: 'list',
      defaultModelsExpandDepth: 0,
      tryItOutEnabled: true,
    },
  });
}
