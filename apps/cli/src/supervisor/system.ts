import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { childEnvironment, makeDataFolder, type Config } from '#config';
import { claimFolder } from '#database';
import { AppError } from '#kernel';
import { probeQueue, QUEUE_NAMES } from '#queue';
import { createSandboxDriver } from '#sandbox';
import { writeCredentials } from '../credentials.js';
import { ensureAccess, type Access } from './access.js';
import { migrateEverything, openDatabase, type SystemDatabase } from './local-database.js';
import { ManagedProcess, type ProcessPlan } from './managed-process.js';
import type { SystemLog } from './system-log.js';

/** A system that is up: database, API and one worker process per queue. */
export interface RunningSystem extends Access {
  url: string;
  database: string;
  queue: string;
  /** Why steps cannot run isolated on this host, and what to do; null when they can. */
  sandboxProblem: string | null;
  /** Resolves with the reason when the system cannot go on; never when it is stopped. */
  broken: Promise<AppError>;
  /** In order: the API takes no more requests, running steps get their grace, the database stops. */
  stop(): Promise<void>;
  /** At once, without grace. */
  kill(): void;
}

/** What a process gets on top of the grace for its running steps, to close its connections. */
const CLOSING_MS = 5_000;

/**
 * Starts everything and waits until it is ready. What was started is stopped again when something fails.
 * @throws AppError CONFIG_INVALID, ALREADY_RUNNING, PORT_IN_USE, DATABASE_UNAVAILABLE, QUEUE_UNAVAILABLE, or INTERNAL with the last words of a process that did not start
 */
export async function startSystem(config: Config, log: SystemLog): Promise<RunningSystem> {
  await makeDataFolder(config.dataDir);
  const claim = claimFolder(config.dataDir);
  const parts = new Parts();
  const stop = async (): Promise<void> => {
    await parts.stop();
    claim.release();
  };
  try {
    await refuseTakenPort(config.http);
    if (config.redisUrl !== undefined) await probeQueue({ backend: 'redis', url: config.redisUrl });
    const database = await openDatabase(config, log, parts.breakDown);
    parts.database = database;
    const access = await prepareDatabase(database, config, log);
    const ready = await startProcesses(config, parts, database, log);
    await writeCredentials(config.dataDir, { ...access, url: ready.url });
    return {
      ...access,
      ...ready,
      database: database.description,
      queue: config.redisUrl === undefined ? 'PostgreSQL' : `Redis on ${new URL(config.redisUrl).host}`,
      broken: parts.broken,
      stop,
      kill: () => parts.kill(),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What has been started so far. */
class Parts {
  database: SystemDatabase | undefined;
  api: ManagedProcess | undefined;
  workers: ManagedProcess[] = [];
  readonly broken: Promise<AppError>;
  breakDown: (error: AppError) => void = () => undefined;

  constructor() {
    this.broken = new Promise((resolve) => (this.breakDown = resolve));
  }

  get processes(): ManagedProcess[] {
    return this.api === undefined ? this.workers : [this.api, ...this.workers];
  }

  async stop(): Promise<void> {
    await this.api?.stop();
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.database?.stop();
  }

  kill(): void {
    this.processes.forEach((process) => process.kill());
  }
}

async function prepareDatabase({ ownerUrl }: SystemDatabase, config: Config, log: SystemLog): Promise<Access> {
  const applied = await migrateEverything(ownerUrl);
  if (applied.length > 0) log.say('database', 'info', `applied migrations: ${applied.length}`);
  const access = await ensureAccess(ownerUrl, config.dataDir);
  // Kept before anything else can fail: a new key is known only now.
  await writeCredentials(config.dataDir, { ...access, url: urlOf(config.http) });
  return access;
}

async function startProcesses(
  config: Config,
  parts: Parts,
  database: SystemDatabase,
  log: SystemLog,
): Promise<Pick<RunningSystem, 'url' | 'sandboxProblem'>> {
  const plans = processPlans(config, database);
  const tellGuard = (): void => database.keepFor(parts.processes.flatMap((process) => process.pid ?? []));
  const api = new ManagedProcess(plans.api, log, parts.breakDown, tellGuard);
  parts.api = api;
  parts.workers = plans.workers.map((plan) => new ManagedProcess(plan, log, parts.breakDown, tellGuard));
  const [ready, sandboxProblem] = await Promise.all([
    api.start(),
    createSandboxDriver(config.sandbox.driver, { docker: config.sandbox.docker }).unavailable(),
    ...parts.workers.map((worker) => worker.start()),
  ]);
  const url = reachableUrl(typeof ready['url'] === 'string' ? ready['url'] : urlOf(config.http));
  // A restarted API comes back where its clients know it, also when the port was chosen by the system.
  plans.api.env['PORT'] = new URL(url).port;
  return { url, sandboxProblem };
}

function processPlans(config: Config, database: SystemDatabase): { api: ProcessPlan; workers: ProcessPlan[] } {
  const script = (app: string): string => fileURLToPath(new URL(`../../../${app}/src/main.js`, import.meta.url));
  // Neither process learns the owner's connection: it may do what the ledger forbids.
  const shared = {
    DATABASE_OWNER_URL: undefined,
    REDIS_URL: config.redisUrl,
    LOG_LEVEL: config.log.level,
    DATA_DIR: config.dataDir,
    SANDBOX: config.sandbox.driver,
    SANDBOX_READ_ONLY_PATHS: config.sandbox.readOnlyPaths.join(':'),
    SANDBOX_DOCKER_IMAGE: config.sandbox.docker.image,
    SANDBOX_DOCKER_SOCKET: config.sandbox.docker.socket,
  };
  const api = {
    name: 'api',
    args: [script('api')],
    env: childEnvironment({
      ...shared,
      DATABASE_URL: database.apiUrl,
      HOST: config.http.host,
      PORT: String(config.http.port),
    }),
    stopMs: config.runner.graceMs + CLOSING_MS,
  };
  const workers = QUEUE_NAMES.map((queue) => ({
    name: queue,
    args: [script('worker'), '--queues', queue],
    env: childEnvironment({ ...shared, DATABASE_URL: database.workerUrl }),
    stopMs: config.runner.graceMs + CLOSING_MS,
  }));
  return { api, workers };
}

/** Tried before anything is started: the usual mistake gets its answer at once. */
async function refuseTakenPort({ host, port }: Config['http']): Promise<void> {
  if (port === 0) return;
  const code = await new Promise<string | null>((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, host, () => probe.close(() => resolve(null)));
  });
  if (code === null) return;
  if (code === 'EADDRINUSE') {
    throw new AppError(
      'PORT_IN_USE',
      `port ${port} on ${host} is taken by another program; stop that, or choose another port with --port (0: any free one)`,
    );
  }
  throw new AppError(
    'CONFIG_INVALID',
    `cannot listen on ${host}:${port} (${code}); choose another with --host and --port`,
  );
}

function urlOf({ host, port }: Config['http']): string {
  return reachableUrl(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** "All addresses" is for listening; nobody can be called there. */
function reachableUrl(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
