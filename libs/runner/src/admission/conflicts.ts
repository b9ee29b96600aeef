import { systemClock } from '#kernel';
import { type Database } from '#database';
import type { Actor } from '#ledger';
import { isTerminalJob } from '../state/job.machine.js';
import { appendFacts } from '../store/append-facts.js';
import { CANCEL_CHANNEL } from '../store/channels.js';
import type { Ousted, Skipped } from './plan-pass.js';

const ADMISSION: Actor = { type: 'system', id: 'admission' };

/** Each takes a connection for three round trips. */
const AT_A_TIME = 4;

/**
 * Asks for the end of jobs because of a concurrency key. It happens after the pass that decided it, not under its lock: to ask twice changes
 * nothing, and what was not asked for, because this worker died, the next look at the line or at the job asks for.
 */
export class Conflicts {
  constructor(private readonly database: Database) {}

  /** Jobs that are not to run. They are ended by whoever takes them. */
  skip(skipped: Skipped[]): Promise<void> {
    return fewAtATime(skipped, ({ row, key, holder }) =>
      this.request(
        row.workspace_id,
        row.id,
        `skipped: the concurrency key ${JSON.stringify(key)} is held by job ${holder}`,
      ),
    );
  }

  /** Jobs that make room. Whoever runs them hears of it. */
  oust(ousted: Ousted[]): Promise<void> {
    return fewAtATime(ousted, ({ workspaceId, jobId, key, by }) =>
      this.request(workspaceId, jobId, `the concurrency key ${JSON.stringify(key)} is wanted by job ${by}`),
    );
  }

  private request(workspaceId: string, jobId: string, reason: string): Promise<void> {
    return this.database.transaction(async (client) => {
      await appendFacts(client, workspaceId, jobId, ({ state }) => {
        if (isTerminalJob(state.status) || state.cancelRequestedAt !== null) return null;
        const event = {
          type: 'job.cancel_requested' as const,
          ...{ phase: null, stepId: null, actor: ADMISSION, timestamp: systemClock.now() },
          payload: { reason },
        };
        return { events: [event], wake: true };
      });
      await client.query('SELECT pg_notify($1, $2)', [CANCEL_CHANNEL, jobId]);
    });
  }
}

async function fewAtATime<Item>(items: Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, worker));
}
