import { AppError, type FieldError } from '#kernel';
import { parseJobDefinition, type JobDefinition } from '#runner';
import { CronTimes, invalid } from './cron-times.js';
import { CATCH_UPS, OVERLAPS, type ScheduleSpec } from './schedule.js';

const MAX_NAME_LENGTH = 200;
const MAX_CRON_LENGTH = 200;
const FIELDS = ['name', 'cron', 'timeZone', 'overlap', 'catchUp', 'paused', 'job'];

/**
 * The one way from what somebody wrote to an accepted schedule.
 * @param actions the built-in actions that `uses` may name
 * @throws AppError VALIDATION_FAILED; the fields of the job begin with `job.`
 */
export function parseSchedule(input: unknown, actions: ReadonlySet<string>): ScheduleSpec {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new AppError('VALIDATION_FAILED', 'a schedule must be an object');
  const given = input as Record<string, unknown>;
  const errors: FieldError[] = [];
  const collect = <Value>(read: () => Value): Value | null => collected(errors, read);
  for (const name of Object.keys(given))
    if (!FIELDS.includes(name)) collect(() => refuse(name, 'unknown', 'is not a field of a schedule'));

  const name = collect(() => text(given, 'name', MAX_NAME_LENGTH));
  const cron = collect(() => text(given, 'cron', MAX_CRON_LENGTH));
  const timeZone = collect(() => text(given, 'timeZone', 100, 'UTC'));
  const overlap = collect(() => choice(given, 'overlap', OVERLAPS, 'skip'));
  const catchUp = collect(() => choice(given, 'catchUp', CATCH_UPS, 'latest'));
  const paused = collect(() => flag(given, 'paused'));
  if (cron !== null && timeZone !== null) collect(() => requireTimes(cron, timeZone));
  const job = collect(() => jobOf(given['job'], overlap, actions));
  if (
    name === null ||
    cron === null ||
    timeZone === null ||
    overlap === null ||
    catchUp === null ||
    paused === null ||
    job === null ||
    errors.length > 0
  )
    throw new AppError('VALIDATION_FAILED', errors.map(({ message }) => message).join('; '), { fields: errors });
  return { name, cron, timeZone, overlap, catchUp, paused, job };
}

function collected<Value>(errors: FieldError[], read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION_FAILED') throw error;
    errors.push(...error.fields);
    return null;
  }
}

function requireTimes(cron: string, timeZone: string): void {
  if (new CronTimes(cron, timeZone).next(new Date()) === null)
    throw invalid('cron', 'neverFires', `never fires: there is no time that fits "${cron}"`);
}

function jobOf(input: unknown, overlap: string | null, actions: ReadonlySet<string>): JobDefinition {
  if (input === undefined || input === null)
    throw invalid('job', 'required', 'is required: the definition of the job to run');
  let job: JobDefinition;
  try {
    job = parseJobDefinition(input, { actions });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const below = (path: string): string => (path === '' ? 'job' : `job.${path}`);
    const fields = error.fields.map(({ field, rule, message }) => ({
      ...{ field: below(field), rule },
      message: message.startsWith(field) ? below(message) : `${below(field)}: ${message}`,
    }));
    throw new AppError('VALIDATION_FAILED', error.message, { fields });
  }
  if (job.runAt !== null || job.expiresAt !== null)
    throw invalid(
      job.runAt === null ? 'job.expiresAt' : 'job.runAt',
      'scheduled',
      'has no place in a schedule, which says itself when the job runs',
    );
  if (job.concurrency !== null && overlap !== 'skip' && overlap !== null)
    throw invalid(
      'job.concurrency',
      'scheduled',
      `has no place beside overlap: ${overlap}, which is a concurrency rule itself`,
    );
  return job;
}

function text(given: Record<string, unknown>, name: string, max: number, fallback?: string): string {
  const value = given[name] ?? fallback;
  if (value === undefined) throw invalid(name, 'required', 'is required');
  if (typeof value !== 'string' || value.trim() === '' || value.length > max || value.includes('\0'))
    throw invalid(name, 'length', `must be text of 1 to ${max} characters`);
  return value;
}

function choice<Choice extends string>(
  given: Record<string, unknown>,
  name: string,
  choices: readonly Choice[],
  fallback: Choice,
): Choice {
  const value = given[name] ?? fallback;
  const chosen = choices.find((each) => each === value);
  if (chosen === undefined) throw invalid(name, 'enum', `must be one of ${choices.join(', ')}`);
  return chosen;
}

function flag(given: Record<string, unknown>, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value !== 'boolean') throw invalid(name, 'isBoolean', 'must be true or false');
  return value;
}

function refuse(name: string, rule: string, message: string): never {
  throw invalid(name, rule, message);
}
