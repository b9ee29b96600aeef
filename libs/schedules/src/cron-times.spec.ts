import { AppError } from '#kernel';
import { CronTimes } from './cron-times.js';

function times(expression: string, zone: string, after: string, count: number): string[] {
  return new CronTimes(expression, zone).upcoming(new Date(after), count).map((time) => time.toISOString());
}

function refusal(expression: string, zone = 'UTC'): string {
  try {
    new CronTimes(expression, zone);
    return '';
  } catch (error) {
    return error instanceof AppError ? `${error.code} ${error.fields[0]?.field ?? ''}` : String(error);
  }
}

describe('the times of a cron expression', () => {
  it('are those of its time zone, and move with its clocks', () => {
    expect(times('0 9 * * 1-5', 'America/New_York', '2026-11-20T15:00:00Z', 2)).toEqual([
      '2026-11-23T14:00:00.000Z',
      '2026-11-24T14:00:00.000Z',
    ]);
    // Clocks in Berlin go forward at 2:00 on the 29th: 2:30 does not exist that day.
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T02:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    // They go back at 3:00 on the 25th: 2:30 is there twice, and taken once.
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it('may be given in seconds and by nickname', () => {
    expect(times('*/20 * * * * *', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-01T00:00:20.000Z',
      '2026-01-01T00:00:40.000Z',
    ]);
    expect(times('@hourly', 'UTC', '2026-01-01T00:10:00Z', 1)).toEqual(['2026-01-01T01:00:00.000Z']);
  });

  it('are none for a day that does not exist', () => {
    expect(times('0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z', 3)).toEqual([]);
    expect(new CronTimes('0 0 30 2 *', 'UTC').next(new Date())).toBeNull();
  });

  it('between two moments include both, and of many the latest', () => {
    const hourly = new CronTimes('@hourly', 'UTC');
    const between = (since: string, until: string, max: number): string[] =>
      hourly.between(new Date(since), new Date(until), max).map((time) => time.toISOString().slice(11, 16));
    expect(between('2026-01-01T01:00:00Z', '2026-01-01T03:00:00Z', 10)).toEqual(['01:00', '02:00', '03:00']);
    expect(between('2026-01-01T01:00:00.001Z', '2026-01-01T02:59:59.999Z', 10)).toEqual(['02:00']);
    expect(between('2026-01-01T00:00:00Z', '2026-01-02T00:30:00Z', 2)).toEqual(['23:00', '00:00']);
  });

  it('are refused where the expression or the zone is none', () => {
    for (const wrong of ['', 'a', '61 * * * *', '* * * *', '* * * * * * *', '* * * * foo', '@never', '* * * * *; rm'])
      expect([wrong, refusal(wrong)]).toEqual([wrong, 'VALIDATION_FAILED cron']);
    for (const zone of ['Mars/Olympus', '', '+25:00'])
      expect(refusal('@daily', zone)).toBe('VALIDATION_FAILED timeZone');
  });
});
