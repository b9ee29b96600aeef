import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '#config';
import { Database, DatabaseModule } from '#database';
import { queueConnection, QueueModule, QueueWorkers, type QueueName } from '#queue';
import { JobRunner, RunnerWorkerModule, SubmitJob } from '#runner';
import { Scheduler } from '#schedules';
import { RunnerProcessor } from './runner.processor.js';
import { RunnerService } from './runner.service.js';

/** A worker process: the engine parts and processors of the queues that it serves. */
@Module({})
export class WorkerModule {
  static forRoot(config: Config, queues: readonly QueueName[]): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        DatabaseModule.forRoot({ role: 'worker', database: config.database }),
        QueueModule.forRoot(queueConnection(config, 'runledger_worker')),
        RunnerWorkerModule.forRoot(config),
      ],
      providers: queues.includes('runner') ? [runnerProcessor(config), RunnerService, SCHEDULER] : [],
    };
  }
}

const SCHEDULER = {
  provide: Scheduler,
  useFactory: (database: Database) => new Scheduler(database, new SubmitJob(database)),
  inject: [Database],
};

function runnerProcessor(config: Config) {
  return {
    provide: RunnerProcessor,
    useFactory: (workers: QueueWorkers, runner: JobRunner, database: Database) =>
      new RunnerProcessor(workers, runner, {
        concurrency: config.runner.concurrency,
        able: () => database.isReachable(),
      }),
    inject: [QueueWorkers, JobRunner, Database],
  };
}
