import { openLink, statementTap, type AppProcess, type TcpLink } from '#testing';
import { allOver, expectGuarantees } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { everyCommitJob } from './workload.js';

/** The lease is the shortest that there is: a killed worker's successor is only just up when it ends. */
const SETTINGS = { RUNNER_LEASE_MS: '1000', RUNNER_RECONCILE_MS: '100', RUNNER_HANDOVER_AFTER_MS: '0' };

/** `before`: the statement never reaches the server. `after`: it is done, but the worker does not know. */
export type Moment = 'before' | 'after';

/** What a worker writes as its job goes on. Renewals of leases and pieces of live output come by the clock: they are no steps of a job's life. */
const WRITES = /^COMMIT|\bINSERT INTO |(?<!FOR )\bUPDATE \w|\bDELETE FROM /;
const BY_THE_CLOCK = /INSERT INTO transcript_chunks|SET lease_expires_at = now\(\)/;

/**
 * For every n: a worker is killed exactly at the n-th write of a job's life, and its successor carries the job to its end, until a worker
 * reaches the end of its job with fewer writes than n. Every such moment is met, in both ways, and none by chance.
 *
 * @param numbers which n; default: all
 * @returns the n at which somebody died
 */
export async function killAtEveryCommit(system: FaultSystem, moment: Moment, numbers?: number[]): Promise<void> {
  const done = measure(`worker kill -9 right ${moment} every commit`, system.backend);
  const ids: string[] = [];
  const deaths: number[] = [];
  let victim = await Victim.start(system);
  for (let number = 1; numbers === undefined || number <= Math.max(...numbers); number += 1) {
    if (numbers !== undefined && !numbers.includes(number)) continue;
    victim.dieAt(number, moment);
    const [id = ''] = await system.submit([everyCommitJob(system.marks)]);
    ids.push(id);
    await Promise.race([victim.worker.exited, allOver(system, [id], 60_000)]);
    if (!victim.struck) {
      // It came to the end of its job, and not to an end that somebody else has made.
      expect(victim.worker.alive).toBe(true);
      break;
    }
    expect(await victim.worker.exited).toBe('SIGKILL');
    deaths.push(number);
    await victim.close();
    victim = await Victim.start(system);
    await allOver(system, [id], 60_000);
  }
  await victim.close();
  done(ids.length, deaths.length, await expectGuarantees(system, ids));
  if (numbers !== undefined) expect(deaths).toEqual(numbers);
  // Admission, a claim and a hand-over for each of four phases, two commits for each command: it cannot be fewer.
  else expect(deaths.length).toBeGreaterThan(15);
}

/** A worker whose way to the database counts. */
class Victim {
  struck = false;
  private counting = false;
  private left = 0;
  private moment: Moment = 'before';

  private constructor(
    private link: TcpLink | null,
    private process: AppProcess | null,
  ) {}

  static async start(system: FaultSystem): Promise<Victim> {
    const victim = new Victim(null, null);
    const link = await openLink(system.postgres.workerUrl, () =>
      statementTap({
        onSend: ({ text, application }) => !victim.meets('before', text, application),
        onAnswer: ({ text, application }) => !victim.meets('after', text, application),
      }),
    );
    victim.link = link;
    victim.process = await system.startWorker(SETTINGS, { databaseUrl: link.url });
    return victim;
  }

  get worker(): AppProcess {
    if (this.process === null) throw new Error('the worker was not started');
    return this.process;
  }

  dieAt(number: number, moment: Moment): void {
    this.left = number;
    this.moment = moment;
    this.counting = true;
  }

  async close(): Promise<void> {
    if (this.worker.alive) await this.worker.stop();
    await this.link?.close();
  }

  private meets(moment: Moment, text: string, application: string): boolean {
    // BullMQ's own connections have no name of ours.
    if (!this.counting || moment !== this.moment || application !== 'runledger-worker') return false;
    if (!WRITES.test(text) || BY_THE_CLOCK.test(text)) return false;
    this.left -= 1;
    if (this.left > 0) return false;
    this.counting = false;
    this.struck = true;
    process.kill(this.worker.pid, 'SIGKILL');
    return true;
  }
}
