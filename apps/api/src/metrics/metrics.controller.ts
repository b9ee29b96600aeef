import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Operation } from '../openapi/operation.decorator.js';
import { Metrics } from './metrics.js';

@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @Operation({
    id: 'getMetrics',
    tag: 'operations',
    secured: false,
    summary: 'Metrics for Prometheus',
    responses: {
      200: {
        description: 'The text exposition format.',
        content: { 'text/plain': { schema: { type: 'string' }, example: 'runledger_jobs{status="RUNNING"} 3\n' } },
      },
    },
  })
  async get(@Res() reply: FastifyReply): Promise<void> {
    const { contentType, body } = await this.metrics.text();
    await reply.header('Content-Type', contentType).send(body);
  }
}
