import { AppError } from '#kernel';
import { type Database, toDatabaseError, withDatabaseErrors, type DatabaseClient } from '#database';
import { sealEvents, type Actor, type NewEvent } from '#ledger';
import { reduceJob } from '../state/reduce.js';
import { headOf, jobStateOf, type JobRow } from '../store/job-rows.js';
import type { Transition } from '../store/transition.js';
import { writeTransitions } from '../store/write-transitions.js';
import type { LineKey } from './candidate.js';
import { planPass, withLines, type Plan } from './plan-pass.js';
import { readKeyFacts } from './read-keys.js';
import { readLines, type Line } from './read-lines.js';
import { readReady, type Ready } from './read-ready.js';

/** What a pass is asked for. */
export interface PassOptions {
  /** How many jobs may be on the queue at a time. */
  window: number;
  /** The workspace behind which the circle of workspaces goes on. */
  after: string;
  /** Lines that somebody has reason to look at. */
  lines: LineKey[];
  /** Whether to look at lines that are due as well. */
  dueLines: boolean;
}

export interface PassResult {
  plan: Plan;
  /** What was admitted indeed: a job that was cancelled at the same moment was not. */
  admitted: Plan['admitted'];
  ready: Ready;
}

/** Any number, as long as nothing else of this database takes it. */
const LOCK_KEY = 7_238_401_552;

/**
 * One pass at a time in the whole installation: what it has counted stays true until it has written. A worker that is stopped or cut off in
 * the middle of a pass is thrown out after a moment, so that the others go on. The plans must not depend on the first parameters.
 */
const BEGIN = `BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '3s'; SET LOCAL plan_cache_mode = force_generic_plan;
SELECT pg_advisory_xact_lock(${LOCK_KEY})`;

/** Reads, decides and writes under the lock. Two round trips where no keys are involved: the statements of each are sent together. */
export class AdmissionPass {
  constructor(
    private readonly database: Database,
    private readonly actor: Actor,
  ) {}

  async run(options: PassOptions): Promise<PassResult> {
    const client = await withDatabaseErrors(() => this.database.pool.connect());
    try {
      const result = await this.within(client, options);
      client.release();
      return result;
    } catch (error) {
      const broken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      client.release(broken);
      throw toDatabaseError(error);
    }
  }

  private async within(client: DatabaseClient, options: PassOptions): Promise<PassResult> {
    const { ready, lines } = await read(client, options);
    const candidates = withLines(ready.tenants, lines).flatMap((tenant) => tenant.candidates);
    const facts = await readKeyFacts(client, candidates, ready.now);
    const plan = planPass(ready, lines, facts);
    const written = await this.write(client, plan, facts.now);
    const admitted = plan.admitted.filter(({ row }) => written.has(row.id));
    return { plan, admitted, ready };
  }

  private async write(client: DatabaseClient, plan: Plan, now: Date): Promise<Set<string>> {
    const { admitted, held, looked, lines } = plan;
    const transitions = admitted.map(({ row }) => this.transition(row, now.toISOString()));
    const [written] = await inOneGo<[Set<string>, ...unknown[]]>([
      transitions.length === 0
        ? Promise.resolve(new Set<string>())
        : writeTransitions(async (one) => (await client.query<{ id: string }>(one)).rows, transitions),
      ...(held.length === 0 ? [] : [client.query(holdStatement(held))]),
      ...(looked.length === 0 ? [] : [client.query(forgetStatement(looked))]),
      ...(lines.length === 0 ? [] : [client.query(lookAgainStatement(lines))]),
      client.query('COMMIT'),
    ]);
    return written;
  }

  private transition(row: JobRow, now: string): Transition {
    const before = jobStateOf(row, []);
    const event: NewEvent = {
      type: 'job.queued',
      phase: null,
      stepId: null,
      actor: this.actor,
      timestamp: now < before.updatedAt ? before.updatedAt : now,
      payload: {},
    };
    const after = reduceJob(before, {
      ...event,
      workspaceId: row.workspace_id,
      jobId: row.id,
      actorType: this.actor.type,
      actorId: this.actor.id,
    });
    const { events, head } = sealEvents(headOf(row), row.id, row.workspace_id, [event]);
    return {
      ...{ before, after, epoch: row.epoch, headBefore: headOf(row), head, events },
      ...{ delivery: 'offer', wakeAt: null, sandboxJobs: [] },
    };
  }
}

async function read(client: DatabaseClient, options: PassOptions): Promise<{ ready: Ready; lines: Line[] }> {
  const looks = options.dueLines || options.lines.length > 0;
  const [, ready, lines] = await inOneGo<[unknown, Ready, Line[]]>([
    client.query(BEGIN),
    readReady(client, options.window, options.after),
    looks ? readLines(client, options.lines) : Promise.resolve([]),
  ]);
  return { ready, lines };
}

/** Statements that are sent without waiting for each other. The first failure is the one that counts: it has failed those behind it. */
async function inOneGo<Results extends unknown[]>(sent: Promise<unknown>[]): Promise<Results> {
  const settled = await Promise.allSettled(sent);
  const failure = settled.find((one) => one.status === 'rejected');
  if (failure !== undefined) {
    if (failure.reason instanceof Error) throw failure.reason;
    throw new AppError('INTERNAL', String(failure.reason));
  }
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as Results;
}

function holdStatement(held: Plan['held']) {
  return { name: 'hold-jobs', text: HOLD, values: [held.map(({ row }) => row.id), held.map(({ hold }) => hold)] };
}

function forgetStatement(looked: LineKey[]) {
  return { name: 'forget-lines', text: FORGET, values: lineColumns(looked) };
}

function lookAgainStatement(lines: Plan['lines']) {
  return { name: 'look-again', text: LOOK_AGAIN, values: [...lineColumns(lines), lines.map(({ dueAt }) => dueAt)] };
}

function lineColumns(lines: LineKey[]): string[][] {
  return [lines.map(({ workspaceId }) => workspaceId), lines.map(({ kind }) => kind), lines.map(({ key }) => key)];
}

const HOLD = `
UPDATE runner_jobs AS job SET hold = held.hold FROM unnest($1::uuid[], $2::text[]) AS held(id, hold)
WHERE job.id = held.id AND job.status = 'PENDING'`;

const FORGET = `
DELETE FROM admission_keys AS line USING unnest($1::uuid[], $2::text[], $3::text[]) AS looked(workspace_id, kind, key)
WHERE line.workspace_id = looked.workspace_id AND line.kind = looked.kind AND line.key = looked.key`;

const LOOK_AGAIN = `
INSERT INTO admission_keys AS line (workspace_id, kind, key, due_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT (workspace_id, kind, key) DO UPDATE SET due_at = least(line.due_at, excluded.due_at)`;
