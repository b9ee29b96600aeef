import { Injectable } from '@nestjs/common';
import { Batcher, newId, systemClock, type JsonObject } from '#kernel';
import { Database } from '#database';
import {
  GENESIS_HEAD,
  INSERT_EVENTS_COLUMNS,
  INSERT_EVENTS_RECORD,
  INSERT_EVENTS_SELECT,
  eventRow,
  sealEvents,
  type Actor,
  type ChainHead,
  type LedgerEvent,
  type NewEvent,
} from '#ledger';
import { PHASES, type JobDefinition } from '../definition/definition.js';
import type { JobState } from '../state/job-state.js';
import { reduceJob } from '../state/reduce.js';

/** What workers listen on to hear that there is something to admit. */
export const SUBMITTED_CHANNEL = 'runledger_submitted';

/** A job that is about to become true. */
interface Submission {
  state: JobState;
  head: ChainHead;
  events: LedgerEvent[];
}

/** A job that was accepted: durable, and PENDING until it is admitted. */
export interface Submitted {
  state: JobState;
  head: ChainHead;
}

/**
 * Accepts jobs. Job, steps and the event `job.created` are one statement; submissions to one workspace that come while another is being
 * committed share the next commit.
 */
@Injectable()
export class SubmitJob {
  private readonly batchers = new Map<string, Batcher<Submission, void>>();

  constructor(private readonly database: Database) {}

  /** Resolves after the commit. Workers are told of the job by the same commit. */
  async submit(workspaceId: string, actor: Actor, definition: JobDefinition): Promise<Submitted> {
    const submission = newSubmission(workspaceId, actor, definition);
    await this.batcherOf(workspaceId).run(submission);
    return { state: submission.state, head: submission.head };
  }

  private batcherOf(workspaceId: string): Batcher<Submission, void> {
    const existing = this.batchers.get(workspaceId);
    if (existing !== undefined) return existing;
    const batcher = new Batcher<Submission, void>((submissions) => this.insert(workspaceId, submissions), 100);
    this.batchers.set(workspaceId, batcher);
    return batcher;
  }

  private async insert(workspaceId: string, submissions: Submission[]): Promise<void[]> {
    const values = [
      JSON.stringify(submissions.map(jobRecord)),
      JSON.stringify(submissions.flatMap(stepRecords)),
      JSON.stringify(submissions.flatMap((submission) => submission.events.map(eventRow))),
    ];
    await this.database.tenantQuery(workspaceId, { name: 'insert-jobs', text: INSERT, values });
    return submissions.map(() => undefined);
  }
}

function newSubmission(workspaceId: string, actor: Actor, definition: JobDefinition): Submission {
  const jobId = newId();
  // In the order in which they will run; sort() keeps the order of the list within a phase.
  const ordered = [...definition.steps].sort((one, other) => PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase));
  const steps = ordered.map((step, ordinal) => {
    const { key, name, phase, type } = step;
    return { id: newId(), key, name, phase, type, ordinal, config: step as object as JsonObject };
  });
  const { kind, name, priority } = definition;
  const created: NewEvent = {
    type: 'job.created',
    phase: null,
    stepId: null,
    actor,
    timestamp: systemClock.now(),
    payload: { kind, name, priority, definition: definition as object as JsonObject, steps },
  };
  const { events, head } = sealEvents(GENESIS_HEAD, jobId, workspaceId, [created]);
  const state = reduceJob(null, { ...created, workspaceId, jobId, actorType: actor.type, actorId: actor.id });
  return { state, head, events };
}

function jobRecord({ state, head }: Submission): object {
  const { id, workspaceId, kind, name, priority, definition, createdByType, createdById, createdAt } = state;
  return {
    id,
    workspaceId,
    kind,
    name,
    priority,
    definition,
    createdByType,
    createdById,
    createdAt,
    headSeq: head.seq,
    headHash: head.hash,
  };
}

function stepRecords({ state }: Submission): object[] {
  return state.steps.map(({ id, ordinal, key, name, phase, type, config, createdAt }) => ({
    ...{ id, workspaceId: state.workspaceId, jobId: state.id, ordinal, key, name, phase, type, config, createdAt },
  }));
}

const INSERT = `
WITH job AS (
  INSERT INTO runner_jobs (id, workspace_id, kind, name, priority, definition, created_by_type, created_by_id, created_at, updated_at, head_seq, head_hash)
  SELECT i.id, i."workspaceId", i.kind, i.name, i.priority, i.definition, i."createdByType", i."createdById", i."createdAt", i."createdAt", i."headSeq", i."headHash"
  FROM jsonb_to_recordset($1::jsonb) AS i(id uuid, "workspaceId" uuid, kind text, name text, priority smallint, definition jsonb,
    "createdByType" text, "createdById" text, "createdAt" timestamptz, "headSeq" int, "headHash" text)
), step AS (
  INSERT INTO job_steps (id, workspace_id, job_id, ordinal, key, name, phase, type, config, created_at, updated_at)
  SELECT i.id, i."workspaceId", i."jobId", i.ordinal, i.key, i.name, i.phase, i.type, i.config, i."createdAt", i."createdAt"
  FROM jsonb_to_recordset($2::jsonb) AS i(id uuid, "workspaceId" uuid, "jobId" uuid, ordinal int, key text, name text, phase job_step_phase,
    type job_step_type, config jsonb, "createdAt" timestamptz)
), event AS (
  INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
  SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($3::jsonb) AS ${INSERT_EVENTS_RECORD}
)
SELECT pg_notify('${SUBMITTED_CHANNEL}', '')`;
