import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '#kernel';
import { toAppError } from './framework-errors.js';
import type { RouteTable } from './route-table.js';
import { sendProblem } from './send-problem.js';

/** The one place where errors become answers. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  constructor(private readonly routes: RouteTable) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = this.wrongMethod(thrown, request) ?? toAppError(thrown);
    if (error.code === 'INTERNAL') {
      const cause = error.cause instanceof Error ? error.cause : error;
      this.logger.error({ requestId: request.id, msg: `a request failed: ${cause.message}`, stack: cause.stack });
    }
    if (error.retryable) this.logger.warn({ requestId: request.id, code: error.code, msg: error.message });
    if (reply.sent || reply.raw.headersSent) {
      // Half an answer is out: the only honest end is a broken connection.
      reply.raw.destroy();
      return;
    }
    sendProblem(reply, error);
  }

  /** Nest says 404 for a path that exists under another method. */
  private wrongMethod(thrown: unknown, request: FastifyRequest): AppError | null {
    if (!(thrown instanceof HttpException) || thrown.getStatus() !== 404) return null;
    const methods = this.routes.methodsOf(request.url.split('?')[0] ?? '');
    if (methods.length === 0 || methods.includes(request.method)) return null;
    const allow = methods.join(', ');
    return new AppError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { details: { allow } });
  }
}
