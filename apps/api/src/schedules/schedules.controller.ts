import { Controller, Delete, Get, Headers, HttpCode, Post, Put, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AuthenticatedKey } from '#identity';
import { INSTALLED_ACTIONS } from '#runner';
import { CronTimes, parseSchedule, Schedules, type ScheduleView } from '#schedules';
import { RequiresKey } from '../auth/api-key.guard.js';
import { Caller } from '../auth/caller.js';
import { ParsedBody } from '../http/body-parsers.js';
import { IdParam } from '../http/id-param.js';
import { page, type Page } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { QueryReader, type RawQuery } from '../http/query-reader.js';
import { Operation } from '../openapi/operation.decorator.js';
import { versionsOf, versionTag } from '../runner-jobs/etag.js';
import {
  CREATE_SCHEDULE,
  DELETE_SCHEDULE,
  GET_SCHEDULE,
  LIST_NEXT_RUNS,
  LIST_SCHEDULES,
  PAUSE_SCHEDULE,
  REPLACE_SCHEDULE,
  RESUME_SCHEDULE,
} from './schedules.operations.js';

@Controller('v1/workspaces/:workspaceId/schedules')
export class SchedulesController {
  constructor(private readonly schedules: Schedules) {}

  @Post()
  @HttpCode(201)
  @RequiresKey('jobs:write')
  @Operation(CREATE_SCHEDULE)
  async create(
    @IdParam('workspaceId') workspaceId: string,
    @ParsedBody() body: unknown,
    @Caller() caller: AuthenticatedKey,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleView> {
    const spec = parseSchedule(body, INSTALLED_ACTIONS.names);
    const schedule = await this.schedules.create(workspaceId, { type: 'api_key', id: caller.keyId }, spec);
    reply.header('Location', `/v1/workspaces/${workspaceId}/schedules/${schedule.id}`);
    return tagged(schedule, reply);
  }

  @Get()
  @RequiresKey('jobs:read')
  @Operation(LIST_SCHEDULES)
  async list(@IdParam('workspaceId') workspaceId: string, @Query() query: RawQuery): Promise<Page<ScheduleView>> {
    const read = new QueryReader(query);
    const limit = read.integer('limit', 50, 1, 200);
    const beforeId = read.idCursor();
    read.done();
    return page(
      limit,
      (count) => this.schedules.list(workspaceId, beforeId, count),
      (schedule) => schedule.id,
    );
  }

  @Get(':scheduleId')
  @RequiresKey('jobs:read')
  @Operation(GET_SCHEDULE)
  async get(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleView> {
    return tagged(await this.schedules.get(workspaceId, id), reply);
  }

  @Get(':scheduleId/next-runs')
  @RequiresKey('jobs:read')
  @Operation(LIST_NEXT_RUNS)
  async nextRuns(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @Query() query: RawQuery,
  ): Promise<{ items: string[] }> {
    const read = new QueryReader(query);
    const count = read.integer('count', 10, 1, 100);
    read.done();
    const schedule = await this.schedules.get(workspaceId, id);
    if (schedule === null) throw notFound();
    const times = new CronTimes(schedule.cron, schedule.timeZone).upcoming(new Date(), count);
    return { items: schedule.paused ? [] : times.map((time) => time.toISOString()) };
  }

  @Put(':scheduleId')
  @RequiresKey('jobs:write')
  @Operation(REPLACE_SCHEDULE)
  async replace(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @ParsedBody() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() caller: AuthenticatedKey,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleView> {
    const spec = parseSchedule(body, INSTALLED_ACTIONS.names);
    const actor = { type: 'api_key' as const, id: caller.keyId };
    return tagged(await this.schedules.replace(workspaceId, id, spec, versionsOf(ifMatch), actor), reply);
  }

  @Post(':scheduleId/pause')
  @HttpCode(200)
  @RequiresKey('jobs:write')
  @Operation(PAUSE_SCHEDULE)
  async pause(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleView> {
    return tagged(await this.schedules.setPaused(workspaceId, id, true), reply);
  }

  @Post(':scheduleId/resume')
  @HttpCode(200)
  @RequiresKey('jobs:write')
  @Operation(RESUME_SCHEDULE)
  async resume(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleView> {
    return tagged(await this.schedules.setPaused(workspaceId, id, false), reply);
  }

  @Delete(':scheduleId')
  @HttpCode(204)
  @RequiresKey('jobs:write')
  @Operation(DELETE_SCHEDULE)
  async remove(
    @IdParam('workspaceId') workspaceId: string,
    @IdParam('scheduleId') id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    if (!(await this.schedules.remove(workspaceId, id, versionsOf(ifMatch)))) throw notFound();
  }
}

function tagged(schedule: ScheduleView | null, reply: FastifyReply): ScheduleView {
  if (schedule === null) throw notFound();
  reply.header('ETag', versionTag(schedule.version));
  return schedule;
}
