import { PHASES } from './phases.js';
import type { BenchSystem } from './bench-system.js';
import { call } from './http.js';
import { round } from './measure-jobs.js';

/** Four gates, as of the jobs that are submitted one by one; due far from now, so that nothing but their acceptance is measured. */
const job = (): object => ({
  name: 'batched',
  tags: ['bench'],
  metadata: { customer: 'acme' },
  runAt: new Date(Date.now() + 86_400_000).toISOString(),
  steps: PHASES.map((phase) => ({ key: phase.toLowerCase(), phase, type: 'GATE', condition: 'true' })),
});

const BATCH = 1_000;
const WARM_UP = 2;

export interface BatchFigures {
  backend: string;
  batches: number;
  jobsPerBatch: number;
  batchSubmitPerSecond: number;
  /** The longest that another request to the same process took in the meantime. */
  neighbourMaxMs: number;
}

/** One batch after the other, each of as many jobs as a batch may have. */
export async function measureBatches(system: BenchSystem, batches: number): Promise<BatchFigures> {
  for (let batch = 0; batch < WARM_UP; batch += 1) await submitBatch(system);
  let over = false;
  const neighbour = slowestRead(system, () => over);
  const startedAt = performance.now();
  for (let batch = 0; batch < batches; batch += 1) await submitBatch(system);
  const seconds = (performance.now() - startedAt) / 1_000;
  over = true;
  return {
    ...{ backend: system.backend, batches, jobsPerBatch: BATCH },
    batchSubmitPerSecond: round((batches * BATCH) / seconds),
    neighbourMaxMs: round(await neighbour),
  };
}

async function submitBatch(system: BenchSystem): Promise<void> {
  const jobs = Array.from({ length: BATCH }, job);
  const { items } = await call<{ items: unknown[] }>(system, 'POST', '/runner-jobs/batch', { jobs });
  if (items.length !== BATCH) throw new Error(`a batch of ${BATCH} gave ${items.length} jobs`);
}

async function slowestRead(system: BenchSystem, isOver: () => boolean): Promise<number> {
  let slowest = 0;
  while (!isOver()) {
    const startedAt = performance.now();
    await call(system, 'GET', '/runner-jobs?limit=1&tag=bench');
    slowest = Math.max(slowest, performance.now() - startedAt);
  }
  return slowest;
}
