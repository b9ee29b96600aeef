import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { AppError, type FieldError } from '#kernel';
import { LOG_LEVELS, SANDBOX_DRIVERS, type Config } from './config.js';
import { parseMasterKey } from './master-key.js';

const BOOLEANS = ['true', 'false'] as const;

type Environment = Record<string, string | undefined>;

/**
 * Reads and checks the environment. All problems are reported at once.
 * @throws AppError CONFIG_INVALID naming every variable that is wrong, its value's rule included
 */
export function loadConfig(environment: Environment = process.env): Config {
  const read = new EnvironmentReader(environment);
  const url = read.url('DATABASE_URL', ['postgres:', 'postgresql:']);
  const dataDir = resolve(read.text('DATA_DIR', '.runledger'));
  const config: Config = {
    dataDir,
    database: {
      url,
      ownerUrl: read.url('DATABASE_OWNER_URL', ['postgres:', 'postgresql:']) ?? url,
      poolSize: read.integer('DATABASE_POOL_SIZE', 10, 2, 500),
    },
    masterKey: read.key('RUNLEDGER_MASTER_KEY'),
    redisUrl: read.url('REDIS_URL', ['redis:', 'rediss:']),
    http: {
      host: read.text('HOST', '127.0.0.1'),
      port: read.integer('PORT', 3000, 0, 65_535),
      stalledAfterMs: read.integer('STALLED_AFTER_MS', 30_000, 1_000, 86_400_000),
    },
    storage: {
      blobDir: resolve(read.text('BLOB_DIR', join(dataDir, 'blobs'))),
      shared: read.choice('STORAGE_SHARED', 'false', BOOLEANS) === 'true',
    },
    checkpoints: {
      maxBytes: read.integer('CHECKPOINT_MAX_MB', 1_024, 1, 1_048_576) * 1024 * 1024,
      keepMs: read.integer('CHECKPOINT_KEEP_HOURS', 168, 0, 87_600) * 3_600_000,
    },
    host: {
      name: read.text('HOST_NAME', hostname()),
      goneAfterMs: read.integer('HOST_GONE_AFTER_MS', 60_000, 15_000, 86_400_000),
    },
    sandbox: readSandbox(read),
    runner: {
      concurrency: read.integer('RUNNER_CONCURRENCY', 20, 1, 1_000),
      leaseMs: read.integer('RUNNER_LEASE_MS', 6_000, 1_000, 600_000),
      reconcileMs: read.integer('RUNNER_RECONCILE_MS', 2_000, 100, 600_000),
      handoverAfterMs: read.integer('RUNNER_HANDOVER_AFTER_MS', 250, 0, 86_400_000),
      graceMs: read.integer('SHUTDOWN_GRACE_MS', 10_000, 0, 600_000),
      heartbeatFile: read.text('HEARTBEAT_FILE', '') || undefined,
    },
    log: { level: read.choice('LOG_LEVEL', 'info', LOG_LEVELS) },
  };
  return read.unlessWrong(config);
}

function readSandbox(read: EnvironmentReader): Config['sandbox'] {
  return {
    driver: read.choice('SANDBOX', 'bubblewrap', SANDBOX_DRIVERS),
    readOnlyPaths: read.absolutePaths('SANDBOX_READ_ONLY_PATHS'),
    docker: {
      image: read.text('SANDBOX_DOCKER_IMAGE', 'node:20-bookworm'),
      socket: read.text('SANDBOX_DOCKER_SOCKET', '/var/run/docker.sock'),
    },
  };
}

/** Reads variables one by one and gathers what is wrong with them. An empty value counts as absent. */
class EnvironmentReader {
  private readonly problems: FieldError[] = [];

  constructor(private readonly environment: Environment) {}

  text(name: string, fallback: string): string {
    return this.environment[name] || fallback;
  }

  url(name: string, protocols: string[]): string | undefined {
    const value = this.environment[name];
    if (!value) return undefined;
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      // The value itself is not repeated: it may hold a password.
      this.problem(
        name,
        'url',
        `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
      );
    }
    return value;
  }

  /** 32 bytes in hexadecimal or base64. */
  key(name: string): Buffer | undefined {
    const value = this.environment[name];
    if (!value) return undefined;
    const key = parseMasterKey(value);
    if (key === null) this.problem(name, 'key', 'must be 32 bytes as 64 hexadecimal digits or in base64');
    return key ?? undefined;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.environment[name];
    if (!value) return fallback;
    const number = Number(value);
    if (!Number.isInteger(number) || number < min || number > max) {
      this.problem(name, 'integer', `must be a whole number from ${min} to ${max}, not "${value}"`);
    }
    return number;
  }

  choice<Choice extends string>(name: string, fallback: Choice, choices: readonly Choice[]): Choice {
    const value = this.environment[name];
    if (!value) return fallback;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) this.problem(name, 'choice', `must be one of ${choices.join(', ')}, not "${value}"`);
    return chosen ?? fallback;
  }

  absolutePaths(name: string): string[] {
    const paths = (this.environment[name] ?? '').split(':').filter((path) => path !== '');
    for (const path of paths) {
      if (!isAbsolute(path))
        this.problem(name, 'absolutePath', `must hold absolute paths separated by ":", not "${path}"`);
    }
    return paths;
  }

  /** @throws AppError CONFIG_INVALID with all that was found wrong */
  unlessWrong(config: Config): Config {
    if (this.problems.length === 0) return config;
    const sentences = this.problems.map((problem) => `${problem.field} ${problem.message}`);
    throw new AppError('CONFIG_INVALID', `the configuration is wrong: ${sentences.join('; ')}`, {
      fields: this.problems,
    });
  }

  private problem(field: string, rule: string, message: string): void {
    this.problems.push({ field, rule, message });
  }
}
