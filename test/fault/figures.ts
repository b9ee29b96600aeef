import { appendFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import type { Evidence } from './evidence.js';
import type { Backend } from './fault-system.js';
import { percentile } from './takeover.js';

/** What one fault did, as one line of JSON. */
export interface Figures {
  scenario: string;
  backend: Backend;
  jobs: number;
  faults: number;
  lost: number;
  duplicates: number;
  /** Jobs that changed hands because of the fault, and how long that took. */
  takeovers: number;
  takeoverP50Ms: number | null;
  takeoverP99Ms: number | null;
  seconds: number;
  /** One minute's load average at the end: above the number of cores, times say more of the machine than of Runledger. */
  load: number;
}

/** Takes the time, and says the figures in the end: on standard error, and in the file that FAULT_FIGURES names. */
export function measure(scenario: string, backend: Backend) {
  const startedAt = performance.now();
  return (jobs: number, faults: number, { lost, duplicates }: Evidence, takeoversMs: number[] = []): void => {
    const figures: Figures = {
      ...{ scenario, backend, jobs, faults, lost: lost.length, duplicates: duplicates.length },
      takeovers: takeoversMs.length,
      takeoverP50Ms: percentile(takeoversMs, 50),
      takeoverP99Ms: percentile(takeoversMs, 99),
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    };
    const line = `${JSON.stringify(figures)}\n`;
    process.stderr.write(line);
    const file = process.env['FAULT_FIGURES'];
    if (file !== undefined) appendFileSync(file, line);
  };
}
