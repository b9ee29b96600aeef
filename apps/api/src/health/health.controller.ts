import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Operation, json } from '../openapi/operation.decorator.js';
import { HealthChecks, type Health } from './health.js';

const OK = { status: 'ok', checks: { database: { status: 'ok' }, queue: { status: 'ok' }, workers: { status: 'ok' } } };
const RED = {
  status: 'unavailable',
  checks: {
    database: { status: 'ok' },
    queue: { status: 'unavailable', message: 'the queue does not answer' },
    workers: { status: 'ok' },
  },
};

@Controller('health')
export class HealthController {
  constructor(private readonly checks: HealthChecks) {}

  @Get('live')
  @Operation({
    id: 'getLiveness',
    tag: 'operations',
    secured: false,
    summary: 'Is the process alive?',
    description: 'Asks nobody else: restart the process when this does not answer.',
    responses: { 200: json('Health', 'It is.', { status: 'ok' }) },
  })
  live(): Pick<Health, 'status'> {
    return { status: 'ok' };
  }

  @Get('ready')
  @Operation({
    id: 'getReadiness',
    tag: 'operations',
    secured: false,
    summary: 'Can the process work?',
    description:
      'Asks the database and the queue, and whether jobs wait that nobody starts (STALLED_AFTER_MS): send no traffic while this is red. It turns green by itself.',
    responses: {
      200: json('Health', 'It can.', OK),
      503: json('Health', 'It cannot, and why.', RED, { 'Retry-After': 'Seconds.' }),
    },
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Health> {
    const health = await this.checks.check();
    if (health.status !== 'ok') reply.code(503).header('Retry-After', '2');
    return health;
  }
}
