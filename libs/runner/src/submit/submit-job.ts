import { Injectable } from '@nestjs/common';
import { AppError, Batcher } from '#kernel';
import { Database, type DatabaseClient } from '#database';
import type { Actor, ChainHead } from '#ledger';
import type { JobDefinition } from '../definition/definition.js';
import { inTurns } from '../definition/in-turns.js';
import { below } from '../definition/parse-job-batch.js';
import type { JobState } from '../state/job-state.js';
import type { SealedSecrets } from '../secrets/seal-secrets.js';
import { insertStatement } from './insert-submissions.js';
import { newSubmission, type Origin, type Submission } from './new-submission.js';

/** A job that was accepted: durable, and PENDING until it is admitted. */
export interface Submitted {
  state: JobState;
  head: ChainHead;
}

/** The submissions to one workspace that share commits, and how many there are. */
interface Lane {
  batcher: Batcher<Submission, void>;
  waiting: number;
}

/** Jobs of one commit. */
const MAX_BATCH = 100;

/**
 * Accepts jobs. Job, steps and the event `job.created` are one statement; submissions to one workspace that come while another is being
 * committed share the next commit.
 */
@Injectable()
export class SubmitJob {
  /** Of the workspaces to which something is being submitted at this moment, and of no others. */
  private readonly lanes = new Map<string, Lane>();

  constructor(private readonly database: Database) {}

  /**
   * Resolves after the commit. Workers are told of the job by the same commit.
   * @throws AppError VALIDATION_FAILED when a key cannot be filled in, or the workspace does not allow what the job asks for
   */
  async submit(
    workspaceId: string,
    actor: Actor,
    definition: JobDefinition,
    origin: Origin = {},
    secrets: SealedSecrets | null = null,
  ): Promise<Submitted> {
    const submission = { ...newSubmission(workspaceId, actor, definition, origin), secrets };
    await this.insertWithOthers(workspaceId, submission);
    return { state: submission.state, head: submission.head };
  }

  /**
   * All of them, in one statement, or none.
   * @throws AppError as `submit`; fields begin with the place in the list, such as `jobs[17]`
   */
  async submitAll(workspaceId: string, actor: Actor, definitions: JobDefinition[]): Promise<Submitted[]> {
    const submissions = await inTurns(definitions, (definition, index) => {
      const submission = below(`jobs[${index}]`, () => newSubmission(workspaceId, actor, definition, {}));
      const { networkField } = submission;
      return { ...submission, networkField: networkField === null ? null : `jobs[${index}].${networkField}` };
    });
    await this.insert(workspaceId, submissions);
    return submissions.map(({ state, head }) => ({ state, head }));
  }

  /** As `submit`, in a transaction of the caller's that does more than this: all or nothing. */
  async submitWithin(
    client: DatabaseClient,
    workspaceId: string,
    actor: Actor,
    definition: JobDefinition,
    origin: Origin,
  ): Promise<Submitted> {
    const submission = newSubmission(workspaceId, actor, definition, origin);
    if (submission.networkField !== null) await requireNetwork(client, workspaceId, submission.networkField);
    await client.query(insertStatement([submission]));
    return { state: submission.state, head: submission.head };
  }

  private async insertWithOthers(workspaceId: string, submission: Submission): Promise<void> {
    const lane = this.lanes.get(workspaceId) ?? this.openLane(workspaceId);
    lane.waiting += 1;
    try {
      await lane.batcher.run(submission);
    } finally {
      lane.waiting -= 1;
      if (lane.waiting === 0) this.lanes.delete(workspaceId);
    }
  }

  private openLane(workspaceId: string): Lane {
    const insert = async (submissions: Submission[]): Promise<void[]> => {
      await this.insert(workspaceId, submissions);
      return submissions.map(() => undefined);
    };
    const lane = { batcher: new Batcher<Submission, void>(insert, MAX_BATCH), waiting: 0 };
    this.lanes.set(workspaceId, lane);
    return lane;
  }

  private async insert(workspaceId: string, submissions: Submission[]): Promise<void> {
    const statement = insertStatement(submissions);
    const field = submissions.find(({ networkField }) => networkField !== null)?.networkField ?? null;
    if (field === null) await this.database.tenantQuery(workspaceId, statement);
    else {
      await this.database.tenant(workspaceId, async (client) => {
        await requireNetwork(client, workspaceId, field);
        await client.query(statement);
      });
    }
  }
}

/** @throws AppError VALIDATION_FAILED unless the steps of the workspace may use the network */
async function requireNetwork(client: DatabaseClient, workspaceId: string, field: string): Promise<void> {
  const text = 'SELECT allow_network FROM workspaces WHERE id = $1';
  const { rows } = await client.query<{ allow_network: boolean }>({
    name: 'allow-network',
    text,
    values: [workspaceId],
  });
  if (rows[0]?.allow_network === true) return;
  const message = `${field} must be none: this workspace does not allow steps the network (runledger workspace set --allow-network)`;
  throw new AppError('VALIDATION_FAILED', message, { fields: [{ field, rule: 'networkNotAllowed', message }] });
}
