import { parseArgs } from 'node:util';
import { startBenchSystem, type Backend } from './bench-system.js';
import { measureIdle } from './measure-idle.js';
import { measureJobs } from './measure-jobs.js';

const HELP = `npm run bench -- [options]     prints one JSON line per figure

  --jobs N            jobs of four gates that are submitted at once (default 2000)
  --backends LIST     redis, postgres or both, separated by a comma (default: redis,postgres)
  --concurrency N     jobs that the worker carries at a time (default 50)
  --handover MS       RUNNER_HANDOVER_AFTER_MS; 0 makes every phase a message of its own (default 250)
  --idle SECONDS      afterwards, what the idle system asks of its servers in this time (default: not measured)
`;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2000' },
    backends: { type: 'string', default: 'redis,postgres' },
    concurrency: { type: 'string', default: '50' },
    handover: { type: 'string', default: '250' },
    idle: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  for (const backend of values.backends.split(',') as Backend[]) {
    const system = await startBenchSystem(backend, {
      RUNNER_CONCURRENCY: values.concurrency,
      RUNNER_HANDOVER_AFTER_MS: values.handover,
    });
    try {
      if (Number(values.jobs) > 0)
        print({ ...(await measureJobs(system, Number(values.jobs))), handoverAfterMs: Number(values.handover) });
      if (Number(values.idle) > 0) print(await measureIdle(system, Number(values.idle)));
    } finally {
      await system.stop();
    }
  }
}

function print(figures: object): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
