import { Module, type DynamicModule } from '@nestjs/common';
import { LocalBlobStore } from '#artifacts';
import { MasterKey, type Config } from '#config';
import { Database, DatabaseModule } from '#database';
import { ApiKeys } from '#identity';
import { QueueModule, QueueProducer, queueConnection } from '#queue';
import { JobCounts, RunnerQueriesModule, SecretSealer } from '#runner';
import { ApprovalsController } from './approvals/approvals.controller.js';
import { ArtifactsController } from './artifacts/artifacts.controller.js';
import { HealthChecks } from './health/health.js';
import { HealthController } from './health/health.controller.js';
import { MeController } from './me/me.controller.js';
import { Metrics } from './metrics/metrics.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { CancelController } from './runner-jobs/cancel.controller.js';
import { LedgerController } from './runner-jobs/ledger.controller.js';
import { ResultsController } from './runner-jobs/results.controller.js';
import { RetryController } from './runner-jobs/retry.controller.js';
import { RunnerJobsController } from './runner-jobs/runner-jobs.controller.js';
import { Schedules } from '#schedules';
import { SchedulesController } from './schedules/schedules.controller.js';
import { JobEventStream } from './streams/job-event-stream.js';
import { JobWakeups } from './streams/job-wakeups.js';
import { OpenStreams } from './streams/open-streams.js';
import { BLOB_STORE } from './tokens.js';
import { WorkspacesController } from './workspaces/workspaces.controller.js';

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
        WorkspacesController,
        RunnerJobsController,
        CancelController,
        RetryController,
        SchedulesController,
        LedgerController,
        ResultsController,
        ArtifactsController,
        ApprovalsController,
        HealthController,
        MetricsController,
      ],
      providers: [
        ApiKeys,
        Schedules,
        {
          provide: HealthChecks,
          useFactory: (database: Database, queue: QueueProducer, jobs: JobCounts) =>
            new HealthChecks(database, queue, jobs, config.http.stalledAfterMs),
          inject: [Database, QueueProducer, JobCounts],
        },
        Metrics,
        OpenStreams,
        JobWakeups,
        JobEventStream,
        { provide: SecretSealer, useFactory: () => new SecretSealer(new MasterKey(config)) },
        { provide: BLOB_STORE, useFactory: () => new LocalBlobStore(config.storage.blobDir) },
      ],
    };
  }
}
