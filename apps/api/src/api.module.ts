import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { LocalBlobStore } from '#artifacts';
import type { Config } from '#config';
import { DatabaseModule } from '#database';
import { ApiKeys } from '#identity';
import { QueueModule, queueConnection } from '#queue';
import { RunnerQueriesModule } from '#runner';
import { HealthChecks } from './health/health.js';
import { HealthController } from './health/health.controller.js';
import { MeController } from './me/me.controller.js';
import { Metrics } from './metrics/metrics.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { LedgerController } from './runner-jobs/ledger.controller.js';
import { ResultsController } from './runner-jobs/results.controller.js';
import { RunnerJobsController } from './runner-jobs/runner-jobs.controller.js';
import { JobEventStream } from './streams/job-event-stream.js';
import { JobWakeups } from './streams/job-wakeups.js';
import { OpenStreams } from './streams/open-streams.js';
import { BLOB_STORE } from './tokens.js';

/** The HTTP process: answers questions and accepts jobs; it runs none. */
@Module({})
export class ApiModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        DatabaseModule.forRoot({ role: 'api', database: config.database }),
        QueueModule.forRoot(queueConnection(config, 'runledger_api')),
        RunnerQueriesModule,
      ],
      controllers: [
        MeController,
        RunnerJobsController,
        LedgerController,
        ResultsController,
        HealthController,
        MetricsController,
      ],
      providers: [
        ApiKeys,
        HealthChecks,
        Metrics,
        OpenStreams,
        JobWakeups,
        JobEventStream,
        { provide: BLOB_STORE, useFactory: () => new LocalBlobStore(join(config.dataDir, 'blobs')) },
      ],
    };
  }
}
