import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import { Database, type DatabaseClient } from '#database';
import { SubmitJob } from '#runner';
import { fireSchedule } from './fire-schedule.js';
import type { ScheduleRow } from './schedule.js';
import { SCHEDULES_CHANNEL } from './schedules.js';

/** An idle look every so often, in case a notification was missed. */
const LOOK_EVERY_MS = 30_000;
/** Schedules of one transaction. */
const LOOK_SIZE = 20;

/**
 * Fires the schedules that are due. Every worker process runs one; a schedule's row is locked while it fires, so that each of its times
 * is fired once. Between two times it sleeps: it knows the next one, and hears of changes.
 */
@Injectable()
export class Scheduler {
  private readonly logger = new Logger(Scheduler.name);
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | null = null;
  private again = false;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly submitJob: SubmitJob,
  ) {}

  async start(): Promise<void> {
    const look = (): void => this.look();
    await this.database.listen(SCHEDULES_CHANNEL, look, look);
    look();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  private look(): void {
    this.again = true;
    if (this.stopped) return;
    this.looking ??= this.looks().finally(() => {
      this.looking = null;
    });
  }

  private async looks(): Promise<void> {
    clearTimeout(this.timer);
    let waitMs = LOOK_EVERY_MS;
    while (this.again && !this.stopped) {
      this.again = false;
      try {
        if ((await this.fireDue()) === LOOK_SIZE) this.again = true;
        else waitMs = await this.untilNext();
      } catch (error) {
        this.logger.warn(`schedules were not looked at, they will be again: ${messageOf(error)}`);
        waitMs = 1_000;
      }
    }
    if (!this.stopped) this.timer = setTimeout(() => this.look(), waitMs);
  }

  /** @returns how many schedules were due */
  private async fireDue(): Promise<number> {
    return this.database.transaction(async (client: DatabaseClient) => {
      const { rows } = await client.query<ScheduleRow & { now: Date }>({
        name: 'due-schedules',
        text: DUE,
        values: [LOOK_SIZE],
      });
      for (const row of rows) {
        const { outcome, jobIds } = await fireSchedule(client, this.submitJob, row, row.now);
        if (outcome !== null)
          this.logger.log({
            msg: `schedule "${row.name}": ${outcome}`,
            scheduleId: row.id,
            outcome,
            jobs: jobIds.length,
          });
      }
      return rows.length;
    });
  }

  private async untilNext(): Promise<number> {
    const [row] = await this.database.query<{ wait_ms: number | null }>({
      name: 'next-schedule',
      text: NEXT,
      values: [],
    });
    return Math.max(0, Math.min(LOOK_EVERY_MS, row?.wait_ms ?? LOOK_EVERY_MS));
  }
}

/** By the database's clock, the same for all workers. */
const DUE = `
SELECT *, now() AS now FROM schedules WHERE next_run_at <= now() ORDER BY next_run_at LIMIT $1 FOR UPDATE SKIP LOCKED`;

const NEXT = `
SELECT ceil(extract(epoch FROM min(next_run_at) - now()) * 1000)::float8 AS wait_ms FROM schedules WHERE next_run_at IS NOT NULL`;
