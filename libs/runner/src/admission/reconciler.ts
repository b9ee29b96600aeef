import { writeFile } from 'node:fs/promises';
import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import { Database } from '#database';
import { QueueProducer } from '#queue';
import type { Workdirs } from '../engine/workdirs.js';
import { sweepSecrets } from '../secrets/job-secrets.js';
import { Admission } from './admission.js';
import { DUE_COLUMNS, dueOf, IS_READY, type DueColumns } from './read-ready.js';
import type { WorkerRegistry } from './worker-registry.js';

export interface ReconcilerOptions {
  /** Pause between two looks. */
  everyMs: number;
  /** A job that was offered longer ago than this, and is held by nobody, is looked for on the queue. */
  offerPatienceMs: number;
  /** Touched after every look that succeeded. */
  heartbeatFile: string | undefined;
}

/** A job that nobody works on although somebody should. */
interface Stray {
  id: string;
  workspace_id: string;
  /** Among the strays of its workspace. */
  rank: number;
  offers: number;
  reason: 'offered' | 'expired' | 'cancelling';
}

type LookRow = DueColumns & { ready: boolean } & Partial<Stray>;

const LOOK_SIZE = 500;
const SWEEP_SECRETS_EVERY_MS = 3_600_000;

/**
 * Finds what fell between the chairs: jobs that were committed but never admitted, offers that the queue lost, jobs whose worker died or was
 * cut off, requests for cancellation that nobody heard, times that nobody waited for. Every worker process runs one; offering twice is
 * harmless, because only one claim succeeds. An idle look is one statement.
 */
@Injectable()
export class Reconciler {
  private readonly logger = new Logger(Reconciler.name);
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private nextSweepAt = 0;

  constructor(
    private readonly database: Database,
    private readonly queue: QueueProducer,
    private readonly admission: Admission,
    private readonly workdirs: Workdirs,
    private readonly registry: WorkerRegistry,
    private readonly options: ReconcilerOptions,
  ) {}

  /** Looks from now on, and sweeps once what dead workers left in the workdirs of this host. */
  start(): void {
    this.looking = this.sweepWorkdirs().catch((error: unknown) =>
      this.logger.warn(`old workdirs stay: ${messageOf(error)}`),
    );
    this.timer = setInterval(() => {
      this.looking = this.lookQuietly();
    }, this.options.everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  private async lookQuietly(): Promise<void> {
    try {
      await this.look();
      await this.sweepSecrets();
      await this.beat();
    } catch (error) {
      this.logger.warn(`could not look for lost jobs: ${messageOf(error)}`);
    }
  }

  private async sweepSecrets(): Promise<void> {
    if (Date.now() < this.nextSweepAt) return;
    this.nextSweepAt = Date.now() + SWEEP_SECRETS_EVERY_MS;
    await sweepSecrets(this.database);
  }

  private async beat(): Promise<void> {
    if (this.options.heartbeatFile !== undefined) await writeFile(this.options.heartbeatFile, '');
  }

  private async sweepWorkdirs(): Promise<void> {
    const ids = await this.workdirs.jobIds();
    const over = await this.database.query<{ id: string }>(
      `SELECT id FROM runner_jobs WHERE id = ANY ($1::uuid[]) AND completed_at IS NOT NULL`,
      [ids],
    );
    for (const { id } of over) await this.workdirs.remove(id);
  }

  /** One look. @returns how many jobs were offered again */
  async look(): Promise<number> {
    await this.registry.keep();
    const rows = await this.database.query<LookRow>({
      name: 'look-for-strays',
      text: LOOK,
      values: [this.options.offerPatienceMs, LOOK_SIZE],
    });
    const [first] = rows;
    if (first !== undefined) this.admission.expect(dueOf(first));
    if (first?.ready === true) await this.admission.admitPending();
    const strays = rows.filter(isStray);
    const because = (reason: Stray['reason']): Stray[] => strays.filter((stray) => stray.reason === reason);
    this.admission.end(because('cancelling').map(({ id }) => id));
    const lost = await this.lostOffers(because('offered'));
    return this.offerAgain([...lost, ...because('expired')]);
  }

  /** Of the jobs on offer, those whose message is not on the queue any more. The others are left in peace for a while. */
  private async lostOffers(offered: Stray[]): Promise<Stray[]> {
    if (offered.length === 0) return [];
    const states = await this.queue.states('runner', offered.map(messageId));
    const waiting = offered.filter((stray) => states.get(messageId(stray)) === 'waiting');
    await this.database.query(
      `UPDATE runner_jobs SET offered_at = now() WHERE id = ANY ($1::uuid[]) AND lease_owner IS NULL`,
      [waiting.map((stray) => stray.id)],
    );
    return offered.filter((stray) => !waiting.includes(stray));
  }

  private async offerAgain(strays: Stray[]): Promise<number> {
    if (strays.length === 0) return 0;
    const rows = await this.database.query<{ id: string }>({
      name: 'offer-again',
      text: OFFER_AGAIN,
      values: [strays.map((stray) => stray.id), strays.map((stray) => stray.offers)],
    });
    const ours = new Set(rows.map((row) => row.id));
    const offers = strays.filter((stray) => ours.has(stray.id));
    this.logger.log(`offering ${offers.length} jobs again: nobody held them`);
    await this.queue.offer(
      'runner',
      offers.map((stray) => ({
        id: messageId({ ...stray, offers: stray.offers + 1 }),
        payload: { jobId: stray.id, workspaceId: stray.workspace_id },
        priority: stray.rank,
      })),
    );
    return offers.length;
  }
}

function messageId(stray: Pick<Stray, 'id' | 'offers'>): string {
  return `${stray.id}_${stray.offers}`;
}

function isStray(row: LookRow): row is LookRow & Stray {
  return row.id !== null;
}

/**
 * Jobs that wait for admission are not among the strays, however many there are: whether any of them is ready is one probe. What is on offer
 * or held is as much as workers can carry.
 */
const LOOK = `
WITH stray AS (
  (SELECT id, workspace_id, priority, offers, CASE WHEN lease_owner IS NULL THEN 'offered' ELSE 'expired' END AS reason
   FROM runner_jobs
   WHERE status IN ('QUEUED', 'RUNNING') AND parked_at IS NULL AND (
     (lease_owner IS NULL AND coalesce(offered_at, created_at) < now() - $1 * interval '1 millisecond')
     OR (lease_owner IS NOT NULL AND lease_expires_at < now()))
   LIMIT $2)
  UNION ALL
  (SELECT id, workspace_id, priority, offers, 'cancelling'
   FROM runner_jobs
   WHERE cancel_requested_at < now() - interval '1 second' AND cancel_requested_at IS NOT NULL AND status IN ('PENDING', 'QUEUED', 'RUNNING')
     AND (lease_owner IS NULL OR lease_expires_at < now())
   ORDER BY cancel_requested_at LIMIT $2)
)
SELECT due.*, stray.id, stray.workspace_id, stray.offers, stray.reason,
  (row_number() OVER (PARTITION BY stray.workspace_id ORDER BY stray.priority, stray.id) - 1)::int AS rank
FROM (SELECT EXISTS (SELECT FROM runner_jobs WHERE ${IS_READY}) AS ready, ${DUE_COLUMNS}) AS due
LEFT JOIN stray ON true`;

/**
 * The count of offers guards against two reconcilers; raising it also gives the new message an id that the queue does not know.
 * A lease that ran out is cleared, so that the job counts as on offer from now on.
 */
const OFFER_AGAIN = `
UPDATE runner_jobs AS job SET offers = job.offers + 1, offered_at = now(), lease_owner = NULL, lease_expires_at = NULL
FROM unnest($1::uuid[], $2::int[]) AS stray(id, offers)
WHERE job.id = stray.id AND job.offers = stray.offers AND (job.lease_expires_at IS NULL OR job.lease_expires_at < now())
RETURNING job.id`;
