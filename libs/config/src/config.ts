/** Everything that can be set from outside, read once at the start of a process. `docs/configuration.md` explains each. */
export interface Config {
  /** Where files live that this installation owns: blobs, workdirs, the embedded database. Absolute. */
  dataDir: string;
  database: {
    /** The connection of this process, or undefined where the embedded PostgreSQL is to be used. */
    url: string | undefined;
    /** The owner's connection, for migrations. The same as `url` unless DATABASE_OWNER_URL is set. */
    ownerUrl: string | undefined;
    /** The most connections that one process opens. */
    poolSize: number;
  };
  /** 32 bytes with which secrets are sealed, or undefined where the file `master.key` in `dataDir` is to be used. */
  masterKey: Buffer | undefined;
  /** Undefined: BullMQ's PostgreSQL backend on the same database. */
  redisUrl: string | undefined;
  http: {
    host: string;
    port: number;
    /** Readiness turns red when jobs have waited for so long and none was started. */
    stalledAfterMs: number;
  };
  storage: {
    /** The folder of the blobs. Absolute. */
    blobDir: string;
    /** Whether workers of other hosts see the same blobs. */
    shared: boolean;
  };
  /** The workdirs that are kept for retries and for other hosts. */
  checkpoints: {
    /** A workdir with more than this in it is not kept. */
    maxBytes: number;
    /** How long after the end of a job that did not complete. */
    keepMs: number;
  };
  host: {
    /** Names the disk on which this process has its workdirs: the same for all processes that share DATA_DIR. */
    name: string;
    /** A host none of whose workers was seen for so long is gone, and its workdirs with it. */
    goneAfterMs: number;
  };
  sandbox: {
    driver: SandboxDriverName;
    /** Host paths that every sandboxed step may read, at the same path. */
    readOnlyPaths: string[];
    /** The image and the engine of the driver `docker`. */
    docker: { image: string; socket: string };
  };
  runner: {
    /** Jobs that one worker process carries at a time. */
    concurrency: number;
    /** How long a claim is good for without renewal. */
    leaseMs: number;
    /** Pause between two looks for jobs that nobody holds. */
    reconcileMs: number;
    /** A worker goes on with the next phase itself while the phases it has run took less than this; 0: every phase is handed to the queue. */
    handoverAfterMs: number;
    /** How long a stopping process waits for running steps, and a step for SIGTERM to work. */
    graceMs: number;
    /** A file that a worker touches whenever it has looked for lost jobs, for a health check to see its age. */
    heartbeatFile: string | undefined;
  };
  log: { level: LogLevel };
}

export const SANDBOX_DRIVERS = ['bubblewrap', 'docker', 'process'] as const;
export type SandboxDriverName = (typeof SANDBOX_DRIVERS)[number];

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
