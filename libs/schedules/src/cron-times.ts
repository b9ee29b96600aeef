import { Cron } from 'croner';
import { AppError, messageOf } from '#kernel';

const FIELDS = /^(?:@\w+|\S+(?:\s+\S+){4,5})$/;

/**
 * The times of a cron expression in a time zone: five fields (minute, hour, day of month, month, day of week), six with seconds in front, or
 * a nickname such as `@daily`. Day of month and day of week, when both are given, are alternatives, as in Vixie cron. What
 * happens where clocks change is the library's way, told in docs/schedules.md.
 */
export class CronTimes {
  private readonly cron: Cron;

  /** @throws AppError VALIDATION_FAILED naming `cron` or `timeZone` */
  constructor(expression: string, timeZone: string) {
    requireTimeZone(timeZone);
    if (!FIELDS.test(expression.trim()))
      throw invalid(
        'cron',
        'cron',
        'must have five fields, six with seconds in front, or be a nickname such as @daily',
      );
    try {
      this.cron = new Cron(expression.trim(), { timezone: timeZone, paused: true });
    } catch (error) {
      throw invalid('cron', 'cron', `is no cron expression: ${messageOf(error)}`);
    }
  }

  /** The first time after this one; null when there is none any more. */
  next(after: Date): Date | null {
    return this.cron.nextRun(after);
  }

  /** The next `count` times. */
  upcoming(after: Date, count: number): Date[] {
    return this.cron.nextRuns(count, after);
  }

  /** The times from `since` to `until`, both included, in order; of more than `max` the latest. */
  between(since: Date, until: Date, max: number): Date[] {
    const justAfter = new Date(until.getTime() + 1);
    return this.cron
      .previousRuns(max, justAfter)
      .filter((time) => time >= since)
      .reverse();
  }
}

function requireTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw invalid('timeZone', 'timeZone', `must be an IANA time zone such as Europe/Berlin, not "${timeZone}"`);
  }
}

/** A broken rule of one field. */
export function invalid(field: string, rule: string, text: string): AppError {
  const message = `${field} ${text}`;
  return new AppError('VALIDATION_FAILED', message, { fields: [{ field, rule, message }] });
}
