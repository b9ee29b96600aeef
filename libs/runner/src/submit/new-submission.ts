import { AppError, newId, systemClock, type JsonObject } from '#kernel';
import {
  GENESIS_HEAD,
  sealEvents,
  type Actor,
  type ChainHead,
  type EventPayloads,
  type LedgerEvent,
  type NewEvent,
} from '#ledger';
import { PHASES, type JobDefinition } from '../definition/definition.js';
import { DEFINITION_LIMITS as MAX } from '../definition/definition-limits.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import { interpolate } from '../expressions/interpolate.js';
import type { SealedSecrets } from '../secrets/seal-secrets.js';
import type { JobState } from '../state/job-state.js';
import { reduceJob } from '../state/reduce.js';

/** Where a job comes from, when nobody submitted it by hand. */
export interface Origin {
  /** The job of which this is a retry, and the first step that is to run again. */
  retryOf?: { jobId: string; from: string };
  schedule?: { scheduleId: string; scheduledFor: string };
}

/** A job that is about to become true. */
export interface Submission {
  state: JobState;
  head: ChainHead;
  events: LedgerEvent[];
  /** The field that asks for the network, where one does: the workspace may not allow it. */
  networkField: string | null;
  /** Stored with the job, and no part of its definition or events. */
  secrets: SealedSecrets | null;
}

/** @throws AppError VALIDATION_FAILED when a key cannot be filled in */
export function newSubmission(
  workspaceId: string,
  actor: Actor,
  definition: JobDefinition,
  origin: Origin,
): Submission {
  const jobId = newId();
  const created: NewEvent = {
    type: 'job.created',
    phase: null,
    stepId: null,
    actor,
    timestamp: systemClock.now(),
    payload: { ...creation(jobId, workspaceId, definition), ...origin },
  };
  const { events, head } = sealEvents(GENESIS_HEAD, jobId, workspaceId, [created]);
  const state = reduceJob(null, { ...created, workspaceId, jobId, actorType: actor.type, actorId: actor.id });
  return { state, head, events, networkField: networkField(definition), secrets: null };
}

function creation(jobId: string, workspaceId: string, definition: JobDefinition): EventPayloads['job.created'] {
  // In the order in which they will run; sort() keeps the order of the list within a phase.
  const ordered = [...definition.steps].sort((one, other) => PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase));
  const steps = ordered.map((step, ordinal) => {
    const { key, name, phase, type } = step;
    return { id: newId(), key, name, phase, type, ordinal, config: step as object as JsonObject };
  });
  const { kind, name, priority, projectId, tags, metadata, runAt, expiresAt, concurrency, rateLimit } = definition;
  const context = knownAtSubmission(jobId, workspaceId, definition);
  return {
    ...{ kind, name, priority, definition: definition as object as JsonObject, steps },
    ...(projectId === null ? {} : { projectId }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(runAt === null ? {} : { runAt }),
    ...(expiresAt === null ? {} : { expiresAt }),
    ...(concurrency === null
      ? {}
      : { concurrency: { ...concurrency, key: fillIn(concurrency.key, 'concurrency.key', context) } }),
    ...(rateLimit === null
      ? {}
      : { rateLimit: { ...rateLimit, key: fillIn(rateLimit.key, 'rateLimit.key', context) } }),
  };
}

function knownAtSubmission(id: string, workspaceId: string, definition: JobDefinition): ExpressionContext {
  const { name, kind, priority, projectId, tags, metadata } = definition;
  return { steps: {}, job: { id, name, kind, priority, workspaceId, projectId, tags, metadata, failed: false } };
}

/** @throws AppError VALIDATION_FAILED */
function fillIn(template: string, field: string, context: ExpressionContext): string {
  const key = filledIn(template, field, context);
  if (key.length >= 1 && key.length <= MAX.keyLength && !/[\0\p{Surrogate}]/u.test(key)) return key;
  const length = key.length === 0 ? 'nothing' : `${key.length} characters`;
  throw invalid(
    field,
    'length',
    `${field} must have 1 to ${MAX.keyLength} characters when it is filled in, not ${length}`,
  );
}

function filledIn(template: string, field: string, context: ExpressionContext): string {
  try {
    return interpolate(template, context);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw invalid(field, 'expressionFailed', `${field} cannot be filled in: ${error.message}`);
  }
}

function networkField({ steps }: JobDefinition): string | null {
  const index = steps.findIndex((step) => step.type === 'COMMAND' && step.network === 'full');
  return index === -1 ? null : `steps[${index}].network`;
}

function invalid(field: string, rule: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', message, { fields: [{ field, rule, message }] });
}
