import { canonicalTime, isId, type FieldError, type Json } from '#kernel';
import { DEFINITION_LIMITS as MAX, TAG_PATTERN } from './definition-limits.js';
import type { SubmitJobDto } from './job-definition.dto.js';
import { fieldError } from './plain-json.js';

const DAY_MS = 86_400_000;

/** The rules of the job's own fields that decorators cannot say. @param now RFC 3339 */
export function checkJob(job: SubmitJobDto, now: string): FieldError[] {
  const errors = [...checkTags(job.tags), ...checkMetadata(job.metadata), ...checkTimes(job, now)];
  const { projectId } = job;
  if (isGiven(projectId) && !(typeof projectId === 'string' && isId(projectId)))
    errors.push(fieldError('projectId', 'isId', 'must be a UUID'));
  errors.push(...checkKey(job.concurrency?.key, 'concurrency.key'), ...checkKey(job.rateLimit?.key, 'rateLimit.key'));
  return errors;
}

function checkTags(tags: unknown): FieldError[] {
  if (!Array.isArray(tags)) return [];
  return tags
    .slice(0, MAX.tags)
    .flatMap((tag: unknown, index) =>
      typeof tag === 'string' && TAG_PATTERN.test(tag)
        ? []
        : [
            fieldError(
              `tags[${index}]`,
              'tag',
              'must be 1 to 64 letters, digits and . _ : / @ + = -, beginning with a letter or digit',
            ),
          ],
    );
}

function checkMetadata(metadata: unknown): FieldError[] {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return [];
  const errors: FieldError[] = [];
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX.metadataBytes)
    errors.push(fieldError('metadata', 'maxBytes', `must be at most ${MAX.metadataBytes / 1024} KiB of JSON`));
  if (isDeeper(metadata as Json, MAX.metadataDepth))
    errors.push(fieldError('metadata', 'depth', `must not be nested deeper than ${MAX.metadataDepth} levels`));
  return errors;
}

/** Whether there are more than so many objects and lists inside each other. */
function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

function checkTimes({ runAt, expiresAt }: SubmitJobDto, now: string): FieldError[] {
  const errors: FieldError[] = [];
  const time = (value: unknown, field: string): string | null => {
    const canonical = typeof value === 'string' ? canonicalTime(value) : null;
    if (canonical === null && isGiven(value))
      errors.push(
        fieldError(field, 'time', 'must be a time of RFC 3339 with an offset, such as 2027-01-31T08:00:00+01:00'),
      );
    return canonical;
  };
  const [start, end] = [time(runAt, 'runAt'), time(expiresAt, 'expiresAt')];
  if (start !== null && Date.parse(start) > Date.parse(now) + MAX.runAtDays * DAY_MS)
    errors.push(fieldError('runAt', 'maxTime', `must be at most ${MAX.runAtDays} days ahead`));
  if (end !== null && end <= now) errors.push(fieldError('expiresAt', 'minTime', 'must be in the future'));
  else if (end !== null && start !== null && end <= start)
    errors.push(fieldError('expiresAt', 'minTime', 'must be after runAt'));
  return errors;
}

/** What is written without an expression is what it will be; the length of the rest is known when it is filled in. */
function checkKey(key: unknown, field: string): FieldError[] {
  if (typeof key !== 'string' || key.includes('${{') || key.length > MAX.keyTemplateLength) return [];
  return key.length <= MAX.keyLength
    ? []
    : [fieldError(field, 'isLength', `must have 1 to ${MAX.keyLength} characters`)];
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
