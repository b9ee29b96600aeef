import { hostname } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { LocalBlobStore, type BlobStore } from '#artifacts';
import { MasterKey, type Config } from '#config';
import { Database } from '#database';
import { QueueProducer } from '#queue';
import { createSandboxDriver, type SandboxDriver } from '#sandbox';
import { newId } from '#kernel';
import { Admission } from './admission/admission.js';
import { AdmissionBell } from './admission/admission-signals.js';
import { createAdmission } from './admission/create-admission.js';
import { Reconciler } from './admission/reconciler.js';
import { WorkerRegistry } from './admission/worker-registry.js';
import { ApprovalGate } from './approvals/approval-gate.js';
import { DescribeSubject } from './approvals/describe-subject.js';
import { CheckpointStore } from './checkpoints/checkpoint-store.js';
import { CheckpointSweep } from './checkpoints/checkpoint-sweep.js';
import { Checkpoints } from './checkpoints/checkpoints.js';
import { OtherHosts } from './checkpoints/other-hosts.js';
import { WorkdirService } from './checkpoints/workdir-service.js';
import { Delivery } from './engine/delivery.js';
import { JobEnding } from './engine/job-ending.js';
import { JobRunner } from './engine/job-runner.js';
import { LeaseKeeper } from './engine/lease-keeper.js';
import { StepRecords } from './engine/step-records.js';
import { StepRunner } from './engine/step-runner.js';
import { Workdirs } from './engine/workdirs.js';
import { ArtifactExecutor } from './executors/artifact.executor.js';
import { INSTALLED_ACTIONS } from './executors/installed-actions.js';
import { CommandExecutor } from './executors/command.executor.js';
import { ExecutorRegistry } from './executors/executor-registry.js';
import { GateExecutor } from './executors/gate.executor.js';
import { LiveOutput } from './executors/live-output.js';
import { OldJobs } from './retry/old-jobs.js';
import { ReuseDecider } from './retry/reuse-decider.js';
import { JobSecrets } from './secrets/job-secrets.js';
import { JobStore } from './store/job.store.js';
import { allowsNetwork } from './store/workspace-policy.js';

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
      providers: [
        ...storage(config),
        ...executors(config),
        ...engine(config, workerId),
        ...upkeep(config),
        ...admission(config, workerId),
      ],
      exports: [JobRunner, Admission, Reconciler, WorkdirService, SANDBOX],
    };
  }
}

/** Injection tokens of what is an interface. */
export const SANDBOX = Symbol('SandboxDriver');
const BLOBS = Symbol('BlobStore');

function storage(config: Config): Provider[] {
  const workdirs = join(config.dataDir, 'workdirs');
  const folderOf = (jobId: string): string => join(workdirs, jobId);
  const { shared } = config.storage;
  const { maxBytes } = config.checkpoints;
  const host = config.host.name;
  return [
    { provide: BLOBS, useFactory: () => new LocalBlobStore(config.storage.blobDir) },
    {
      provide: CheckpointStore,
      useFactory: (database: Database, blobs: BlobStore) => new CheckpointStore(database, blobs, { host, shared }),
      inject: [Database, BLOBS],
    },
    { provide: OldJobs, useFactory: (database: Database) => new OldJobs(database), inject: [Database] },
    {
      provide: Checkpoints,
      useFactory: (store: CheckpointStore, jobs: OldJobs) => new Checkpoints(store, jobs, { folderOf, maxBytes }),
      inject: [CheckpointStore, OldJobs],
    },
    {
      provide: Workdirs,
      useFactory: (checkpoints: Checkpoints) => new Workdirs(workdirs, host, checkpoints),
      inject: [Checkpoints],
    },
  ];
}

function executors(config: Config): Provider[] {
  const { driver, readOnlyPaths, docker } = config.sandbox;
  const graceMs = Math.min(config.runner.graceMs, LONGEST_KILL_GRACE_MS);
  const masterKey = new MasterKey(config);
  return [
    { provide: SANDBOX, useFactory: () => createSandboxDriver(driver, { docker }) },
    { provide: LiveOutput, useFactory: (database: Database) => new LiveOutput(database), inject: [Database] },
    {
      provide: CommandExecutor,
      useFactory: (
        sandbox: SandboxDriver,
        blobs: BlobStore,
        workdirs: Workdirs,
        live: LiveOutput,
        database: Database,
      ) =>
        new CommandExecutor(sandbox, blobs, workdirs, live, INSTALLED_ACTIONS, {
          ...{ readOnlyPaths, graceMs },
          allowsNetwork: (workspaceId) => allowsNetwork(database, workspaceId),
          secretsOf: (job) => new JobSecrets(database, masterKey).load(job),
        }),
      inject: [SANDBOX, BLOBS, Workdirs, LiveOutput, Database],
    },
    {
      provide: ArtifactExecutor,
      useFactory: (database: Database, blobs: BlobStore, workdirs: Workdirs) =>
        new ArtifactExecutor(database, blobs, workdirs),
      inject: [Database, BLOBS, Workdirs],
    },
    {
      provide: GateExecutor,
      useFactory: (database: Database, workdirs: Workdirs) =>
        new GateExecutor(new ApprovalGate(database, new DescribeSubject(database, workdirs))),
      inject: [Database, Workdirs],
    },
    {
      provide: ExecutorRegistry,
      useFactory: (command: CommandExecutor, gate: GateExecutor, artifact: ArtifactExecutor) =>
        new ExecutorRegistry([command, gate, artifact]),
      inject: [CommandExecutor, GateExecutor, ArtifactExecutor],
    },
  ];
}

function engine(config: Config, workerId: string): Provider[] {
  const { leaseMs, handoverAfterMs } = config.runner;
  return [
    {
      provide: JobStore,
      useFactory: (database: Database) =>
        new JobStore(database, {
          owner: workerId,
          leaseMs,
          host: config.host.name,
          hostGoneAfterMs: config.host.goneAfterMs,
        }),
      inject: [Database],
    },
    { provide: LeaseKeeper, useFactory: (store: JobStore) => new LeaseKeeper(store, leaseMs), inject: [JobStore] },
    {
      provide: StepRunner,
      useFactory: (
        ...[registry, store, jobs, checkpoints, kept]: [
          ExecutorRegistry,
          JobStore,
          OldJobs,
          Checkpoints,
          CheckpointStore,
        ]
      ) => new StepRunner(registry, store, new StepRecords(), new ReuseDecider(jobs, checkpoints, kept), checkpoints),
      inject: [ExecutorRegistry, JobStore, OldJobs, Checkpoints, CheckpointStore],
    },
    {
      provide: JobEnding,
      useFactory: (database: Database, workdirs: Workdirs) => new JobEnding(database, workdirs),
      inject: [Database, Workdirs],
    },
    {
      provide: Delivery,
      useFactory: (queue: QueueProducer, bell: AdmissionBell) => new Delivery(queue, bell),
      inject: [QueueProducer, AdmissionBell],
    },
    {
      provide: JobRunner,
      useFactory: (store: JobStore, steps: StepRunner, leases: LeaseKeeper, delivery: Delivery, ending: JobEnding) =>
        new JobRunner(store, steps, leases, delivery, ending, { workerId, handoverAfterMs }),
      inject: [JobStore, StepRunner, LeaseKeeper, Delivery, JobEnding],
    },
  ];
}

/** What a process does about workdirs beside running jobs. */
function upkeep(config: Config): Provider[] {
  const { name: host } = config.host;
  const { concurrency: atOnce } = config.runner;
  const { keepMs } = config.checkpoints;
  return [
    {
      provide: WorkdirService,
      useFactory: (database: Database, store: CheckpointStore, runner: JobRunner) =>
        new WorkdirService(
          new OtherHosts(database, { host, atOnce, wake: (jobId) => runner.wake(jobId) }),
          new CheckpointSweep(database, store, keepMs),
        ),
      inject: [Database, CheckpointStore, JobRunner],
    },
  ];
}

function admission(config: Config, workerId: string): Provider[] {
  const { concurrency, reconcileMs: everyMs, heartbeatFile } = config.runner;
  return [
    AdmissionBell,
    {
      provide: WorkerRegistry,
      useFactory: (database: Database) =>
        new WorkerRegistry(database, { workerId, concurrency, host: config.host.name }),
      inject: [Database],
    },
    {
      provide: Admission,
      useFactory: (
        ...[database, queue, registry, bell, runner]: [
          Database,
          QueueProducer,
          WorkerRegistry,
          AdmissionBell,
          JobRunner,
        ]
      ) => createAdmission({ database, queue, registry, bell, workerId, wake: (jobId) => runner.wake(jobId) }),
      inject: [Database, QueueProducer, WorkerRegistry, AdmissionBell, JobRunner],
    },
    {
      provide: Reconciler,
      useFactory: (
        ...[database, queue, admitting, workdirs, registry]: [
          Database,
          QueueProducer,
          Admission,
          Workdirs,
          WorkerRegistry,
        ]
      ) =>
        new Reconciler(database, queue, admitting, workdirs, registry, {
          ...{ everyMs, offerPatienceMs: OFFER_PATIENCE_MS, heartbeatFile },
        }),
      inject: [Database, QueueProducer, Admission, Workdirs, WorkerRegistry],
    },
  ];
}
