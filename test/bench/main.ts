import { parseArgs } from 'node:util';
import { startBenchSystem, type Backend } from './bench-system.js';
import { measureBatches } from './measure-batches.js';
import { measureCancel } from './measure-cancel.js';
import { measureAdmission } from './measure-admission.js';
import { measureIdle } from './measure-idle.js';
import { measureJobs } from './measure-jobs.js';
import { measureFairness, measureTenants } from './measure-tenants.js';

const HELP = `npm run bench -- [options]     prints one JSON line per figure

  --jobs N            jobs of four gates that are submitted at once (default 2000)
  --backends LIST     redis, postgres or both, separated by a comma (default: redis,postgres)
  --concurrency N     jobs that the worker carries at a time (default 50)
  --handover MS       RUNNER_HANDOVER_AFTER_MS; 0 makes every phase a message of its own (default 250)
  --batches N         then, batches of 1,000 jobs that are submitted one after the other (default 5)
  --cancels N         then, jobs with a running command that are cancelled, five at a time (default 100)
  --idle SECONDS      afterwards, what the idle system asks of its servers in this time (default: not measured)
  --tenants N         afterwards, the same number of jobs spread over so many workspaces (default: not measured)
  --crowd N           at last, how long a single job waits beside so many of another workspace (default: not measured)
  --pending LIST      first, what a pass of admission costs while so many jobs wait, of one workspace and of a thousand:
                      1000,10000,100000 (default: not measured)
`;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2000' },
    backends: { type: 'string', default: 'redis,postgres' },
    concurrency: { type: 'string', default: '50' },
    handover: { type: 'string', default: '250' },
    batches: { type: 'string', default: '5' },
    cancels: { type: 'string', default: '100' },
    idle: { type: 'string', default: '0' },
    tenants: { type: 'string', default: '0' },
    crowd: { type: 'string', default: '0' },
    pending: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  if (values.pending !== '')
    for (const figures of await measureAdmission(values.pending.split(',').map(Number), [1, 1_000])) print(figures);
  for (const backend of values.backends.split(',') as Backend[]) {
    const system = await startBenchSystem(backend, {
      RUNNER_CONCURRENCY: values.concurrency,
      RUNNER_HANDOVER_AFTER_MS: values.handover,
    });
    try {
      if (Number(values.jobs) > 0)
        print({ ...(await measureJobs(system, Number(values.jobs))), handoverAfterMs: Number(values.handover) });
      if (Number(values.batches) > 0) print(await measureBatches(system, Number(values.batches)));
      if (Number(values.cancels) > 0) print(await measureCancel(system, Number(values.cancels)));
      if (Number(values.idle) > 0) print(await measureIdle(system, Number(values.idle)));
      if (Number(values.tenants) > 0) print(await measureTenants(system, Number(values.jobs), Number(values.tenants)));
      if (Number(values.crowd) > 0)
        print(await measureFairness(system, Number(values.crowd), Number(values.concurrency)));
    } finally {
      await system.stop();
    }
  }
}

function print(figures: object): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
