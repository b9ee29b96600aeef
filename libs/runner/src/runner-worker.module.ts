import { hostname } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { LocalBlobStore, type BlobStore } from '#artifacts';
import type { Config } from '#config';
import { Database } from '#database';
import { QueueProducer } from '#queue';
import { createSandboxDriver, type SandboxDriver } from '#sandbox';
import { newId } from '#kernel';
import { Admission } from './admission/admission.js';
import { Reconciler } from './admission/reconciler.js';
import { JobRunner } from './engine/job-runner.js';
import { LeaseKeeper } from './engine/lease-keeper.js';
import { StepRunner } from './engine/step-runner.js';
import { Workdirs } from './engine/workdirs.js';
import { ArtifactExecutor } from './executors/artifact.executor.js';
import { INSTALLED_ACTIONS } from './executors/installed-actions.js';
import { CommandExecutor } from './executors/command.executor.js';
import { ExecutorRegistry } from './executors/executor-registry.js';
import { GateExecutor } from './executors/gate.executor.js';
import { LiveOutput } from './executors/live-output.js';
import { JobStore } from './store/job.store.js';

/** An offer is looked for on the queue when it is this old and nobody holds the job. */
const OFFER_PATIENCE_MS = 4_000;

/** A command that ignores SIGTERM gets SIGKILL after this long at most. */
const LONGEST_KILL_GRACE_MS = 5_000;

/** The engine of a worker process: what claims, runs, admits and reconciles. Needs DatabaseModule and QueueModule beside it. */
@Module({})
export class RunnerWorkerModule {
  static forRoot(config: Config): DynamicModule {
    const workerId = `${hostname()}/${process.pid}/${newId().slice(-6)}`;
    return {
      module: RunnerWorkerModule,
      providers: [...storage(config), ...executors(config), ...engine(config, workerId)],
      exports: [JobRunner, Admission, Reconciler, SANDBOX],
    };
  }
}

/** Injection tokens of what is an interface. */
export const SANDBOX = Symbol('SandboxDriver');
const BLOBS = Symbol('BlobStore');

function storage(config: Config): Provider[] {
  return [
    { provide: BLOBS, useFactory: () => new LocalBlobStore(join(config.dataDir, 'blobs')) },
    { provide: Workdirs, useFactory: () => new Workdirs(join(config.dataDir, 'workdirs')) },
  ];
}

function executors(config: Config): Provider[] {
  const { driver, readOnlyPaths } = config.sandbox;
  const graceMs = Math.min(config.runner.graceMs, LONGEST_KILL_GRACE_MS);
  return [
    { provide: SANDBOX, useFactory: () => createSandboxDriver(driver) },
    { provide: LiveOutput, useFactory: (database: Database) => new LiveOutput(database), inject: [Database] },
    {
      provide: CommandExecutor,
      useFactory: (sandbox: SandboxDriver, blobs: BlobStore, workdirs: Workdirs, live: LiveOutput) =>
        new CommandExecutor(sandbox, blobs, workdirs, live, INSTALLED_ACTIONS, { readOnlyPaths, graceMs }),
      inject: [SANDBOX, BLOBS, Workdirs, LiveOutput],
    },
    {
      provide: ArtifactExecutor,
      useFactory: (database: Database, blobs: BlobStore, workdirs: Workdirs) =>
        new ArtifactExecutor(database, blobs, workdirs),
      inject: [Database, BLOBS, Workdirs],
    },
    GateExecutor,
    {
      provide: ExecutorRegistry,
      useFactory: (command: CommandExecutor, gate: GateExecutor, artifact: ArtifactExecutor) =>
        new ExecutorRegistry([command, gate, artifact]),
      inject: [CommandExecutor, GateExecutor, ArtifactExecutor],
    },
  ];
}

function engine(config: Config, workerId: string): Provider[] {
  const { leaseMs, reconcileMs, handoverAfterMs, heartbeatFile } = config.runner;
  return [
    {
      provide: JobStore,
      useFactory: (database: Database) => new JobStore(database, { owner: workerId, leaseMs }),
      inject: [Database],
    },
    { provide: LeaseKeeper, useFactory: (store: JobStore) => new LeaseKeeper(store, leaseMs), inject: [JobStore] },
    {
      provide: StepRunner,
      useFactory: (registry: ExecutorRegistry) => new StepRunner(registry),
      inject: [ExecutorRegistry],
    },
    {
      provide: JobRunner,
      useFactory: (store: JobStore, steps: StepRunner, leases: LeaseKeeper, queue: QueueProducer, workdirs: Workdirs) =>
        new JobRunner(store, steps, leases, queue, workdirs, { workerId, handoverAfterMs }),
      inject: [JobStore, StepRunner, LeaseKeeper, QueueProducer, Workdirs],
    },
    {
      provide: Admission,
      useFactory: (database: Database, store: JobStore, queue: QueueProducer) =>
        new Admission(database, store, queue, workerId),
      inject: [Database, JobStore, QueueProducer],
    },
    {
      provide: Reconciler,
      useFactory: (database: Database, queue: QueueProducer, admission: Admission, workdirs: Workdirs) =>
        new Reconciler(database, queue, admission, workdirs, {
          everyMs: reconcileMs,
          offerPatienceMs: OFFER_PATIENCE_MS,
          heartbeatFile,
        }),
      inject: [Database, QueueProducer, Admission, Workdirs],
    },
  ];
}
