import type { RunnerJob, WaitingFor } from '#client';
import { cleanLine } from './format.js';
import { jobDuration, paintStatus } from './job-text.js';
import type { Colors } from './terminal.js';

/** What there is to say of a job before its steps, most important first. */
export function jobLines(job: RunnerJob, colors: Colors): string[] {
  const { bold, dim, red, yellow } = colors;
  const took = jobDuration(job);
  const status = `${paintStatus(job.status, job.status, colors)}${took === '' ? '' : dim(` in ${took}`)}`;
  return [
    `${bold(cleanLine(job.name))}  ${status}`,
    dim(`${job.id} · ${job.kind} · priority ${job.priority} · created ${job.createdAt}`),
    ...(job.error === null ? [] : [red(cleanLine(`${job.error.code}: ${job.error.message}`))]),
    ...(isUnderWay(job) ? underWay(job).map((line) => yellow(cleanLine(line))) : []),
    ...options(job).map((line) => dim(cleanLine(line))),
  ];
}

function isUnderWay({ status }: RunnerJob): boolean {
  return status === 'PENDING' || status === 'QUEUED' || status === 'RUNNING';
}

function underWay(job: RunnerJob): string[] {
  const { waitingFor, cancelRequestedAt, progressMessage, progressPercent } = job;
  return [
    ...(cancelRequestedAt === null ? [] : [`to be cancelled since ${cancelRequestedAt}`]),
    ...(waitingFor === null ? [] : [waitText(waitingFor, job)]),
    ...(progressMessage === null ? [] : [`${progressPercent} %: ${progressMessage}`]),
  ];
}

function waitText({ reason, until }: WaitingFor, { concurrency, rateLimit }: RunnerJob): string {
  switch (reason) {
    case 'RUN_AT':
      return `waits until ${until ?? 'its time'}`;
    case 'CONCURRENCY':
      return `waits for a job with the concurrency key ${concurrency?.key ?? ''} to end`;
    case 'RATE_LIMIT':
      return `waits for its turn under the rate limit ${rateLimit?.key ?? ''}`;
    case 'APPROVAL':
      return `waits for an approval${until === null ? '' : `, until ${until} at the latest`}`;
    case 'RETRY':
      return `waits until ${until ?? 'its time'} for the next attempt of a step`;
  }
}

function options(job: RunnerJob): string[] {
  const { projectId, tags, metadata, runAt, expiresAt, concurrency, rateLimit, retryOf, scheduleId } = job;
  const facts = [
    projectId === null ? '' : `project ${projectId}`,
    runAt === null ? '' : `not before ${runAt}`,
    expiresAt === null ? '' : `not after ${expiresAt}`,
    concurrency === null ? '' : `${concurrency.limit} at a time of ${concurrency.key}`,
    rateLimit === null ? '' : `${rateLimit.limit} in ${rateLimit.periodSeconds} s of ${rateLimit.key}`,
    retryOf === null ? '' : `retry of ${retryOf}`,
    scheduleId === null ? '' : `of schedule ${scheduleId}`,
  ].filter((fact) => fact !== '');
  const members = Object.entries(metadata).map(([name, value]) => `${name}=${textOf(value)}`);
  return [
    ...(facts.length === 0 ? [] : [facts.join(' · ')]),
    ...(tags.length === 0 ? [] : [`tags: ${tags.join(', ')}`]),
    ...(members.length === 0 ? [] : [`metadata: ${members.join(', ')}`]),
  ];
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
