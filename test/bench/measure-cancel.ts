import type { BenchSystem } from './bench-system.js';
import { call, streamToEnd } from './http.js';
import { percentile, round } from './measure-jobs.js';

/** Runs until it is told to end, and obeys at once. */
const JOB = { name: 'bench-cancel', steps: [{ key: 'endless', type: 'COMMAND', run: 'exec sleep 300' }] };

/** Commands that run at a time. */
const AT_ONCE = 5;

export interface CancelFigures {
  backend: string;
  cancelledJobs: number;
  /** From the request, as the ledger has it, to the end of the last process. */
  requestToLastExitP50Ms: number;
  requestToLastExitP99Ms: number;
  /** From the sending of the request until the caller sees the job's end. */
  requestToEndSeenP50Ms: number;
  requestToEndSeenP99Ms: number;
}

/** Cancels jobs whose command obeys SIGTERM. */
export async function measureCancel(system: BenchSystem, jobs: number): Promise<CancelFigures> {
  const toExit: number[] = [];
  const toEnd: number[] = [];
  let left = jobs;
  const cancelOneByOne = async (): Promise<void> => {
    while (left-- > 0) {
      const { id } = await call<{ id: string }>(system, 'POST', '/runner-jobs', JOB);
      await runs(system, id);
      const askedAt = performance.now();
      await call(system, 'POST', `/runner-jobs/${id}/cancel`, {});
      await streamToEnd(system, id);
      toEnd.push(performance.now() - askedAt);
      toExit.push(await exitAfter(system, id));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, cancelOneByOne));
  return {
    ...{ backend: system.backend, cancelledJobs: jobs },
    requestToLastExitP50Ms: percentile(toExit, 50),
    requestToLastExitP99Ms: percentile(toExit, 99),
    requestToEndSeenP50Ms: percentile(toEnd, 50),
    requestToEndSeenP99Ms: percentile(toEnd, 99),
  };
}

async function runs(system: BenchSystem, jobId: string): Promise<void> {
  for (;;) {
    const [row] = await system.sql<{ running: boolean }>(
      `SELECT EXISTS (SELECT FROM sandbox_jobs WHERE job_id = '${jobId}' AND status = 'running') AS running`,
    );
    // The row is written before the process is started: give that a moment.
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (row?.running === true) return;
  }
}

async function exitAfter(system: BenchSystem, jobId: string): Promise<number> {
  const { items } = await call<{ items: { type: string; payload: Record<string, string> }[] }>(
    system,
    'GET',
    `/runner-jobs/${jobId}/events?limit=500`,
  );
  const receipt = items.find(({ type }) => type === 'job.cancelled')?.payload;
  if (receipt === undefined) throw new Error(`job ${jobId} was not cancelled`);
  return round(Date.parse(receipt['lastProcessExitAt'] ?? '') - Date.parse(receipt['requestedAt'] ?? ''));
}
