import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { QUEUE_NAMES } from '#queue';

const repository = resolve(import.meta.dirname, '../..');
/** docker-compose takes half a second; a machine that is busy with other suites may need a lot more. */
const PATIENCE_MS = 60_000;
const read = (path: string): string => readFileSync(resolve(repository, path), 'utf8');

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  security_opt?: string[];
  restart?: string;
  healthcheck?: { test?: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}

const passwords = {
  POSTGRES_PASSWORD: 'owner-password',
  RUNLEDGER_API_DB_PASSWORD: 'api-password',
  RUNLEDGER_WORKER_DB_PASSWORD: 'worker-password',
};

const compose: { services: Record<string, Service> } = parse(read('docker-compose.yml'), { merge: true });
const ours = Object.entries(compose.services).filter(([, service]) => service.build !== undefined);
const dockerfile = read('Dockerfile');

/** Debian's `docker-compose` carries the schema of the Compose specification and checks the whole file, references included. */
function composeConfig(env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('docker-compose', ['-f', 'docker-compose.yml', 'config'], {
    cwd: repository,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
}

const hasDockerCompose = spawnSync('docker-compose', ['version'], { stdio: 'ignore' }).status === 0;
const requireDockerCompose = process.env['CI'] === 'true';
if (!hasDockerCompose && !requireDockerCompose)
  process.stderr.write(
    'left out, because docker-compose is not installed: the check of docker-compose.yml by its schema\n',
  );
const whenDockerCompose = hasDockerCompose || requireDockerCompose ? describe : describe.skip;

whenDockerCompose('docker-compose.yml by the Compose specification', () => {
  it(
    'is valid',
    () => {
      const result = composeConfig(passwords);
      expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' });
      expect(Object.keys((parse(result.stdout) as typeof compose).services).sort()).toEqual(
        Object.keys(compose.services).sort(),
      );
    },
    PATIENCE_MS,
  );

  it.each(Object.keys(passwords))(
    'does not start without %s',
    (name) => {
      const result = composeConfig(Object.fromEntries(Object.entries(passwords).filter(([key]) => key !== name)));
      expect(result.status).not.toBe(0);
      expect(result.stderr).toContain(`set ${name}, see docs/deployment.md`);
    },
    PATIENCE_MS,
  );
});

describe('docker-compose.yml', () => {
  it('names only commands that the build makes', () => {
    const programs = ours.map(([, service]) => service.command);
    expect(programs.length).toBeGreaterThanOrEqual(3);
    for (const command of programs) {
      expect(command?.[0]).toBe('node');
      expect(command?.[1]).toMatch(/^dist\/apps\/[a-z]+\/src\/main\.js$/);
      const source = command?.[1]?.replace(/^dist\//, '').replace(/\.js$/, '.ts') ?? '';
      expect({ source, exists: existsSync(resolve(repository, source)) }).toEqual({ source, exists: true });
      expect(existsSync(resolve(repository, command?.[1] ?? ''))).toBe(true);
    }
  });

  it('has one worker service per queue', () => {
    const served = ours
      .filter(([name]) => name.startsWith('worker-'))
      .map(([name, service]) => ({ name, queues: service.command?.slice(2) }));
    expect(served).toEqual(QUEUE_NAMES.map((queue) => ({ name: `worker-${queue}`, queues: ['--queues', queue] })));
  });

  it('gives the owner of the database to the migration alone', () => {
    const withOwner = Object.entries(compose.services)
      .filter(([, service]) => JSON.stringify(service.environment ?? {}).includes('${POSTGRES_PASSWORD'))
      .map(([name]) => name);
    expect(withOwner.sort()).toEqual(['migrate', 'postgres']);
    expect(compose.services['api']?.environment?.['DATABASE_URL']).toContain(
      'runledger_api:${RUNLEDGER_API_DB_PASSWORD}@',
    );
    expect(compose.services['worker-runner']?.environment?.['DATABASE_URL']).toContain(
      'runledger_worker:${RUNLEDGER_WORKER_DB_PASSWORD}@',
    );
  });

  it('starts processes after the migration has succeeded and the queue is there', () => {
    for (const [, service] of ours.filter(([name]) => name !== 'migrate')) {
      expect(service.depends_on).toMatchObject({
        migrate: { condition: 'service_completed_successfully' },
        valkey: { condition: 'service_healthy' },
      });
    }
    expect(compose.services['migrate']).toMatchObject({
      restart: 'no',
      depends_on: { postgres: { condition: 'service_healthy' } },
    });
  });

  it('loosens the profiles for workers alone', () => {
    const loosened = Object.entries(compose.services)
      .filter(([, service]) => service.security_opt?.some((option) => option.endsWith('=unconfined')))
      .map(([name]) => name);
    expect(loosened).toEqual(QUEUE_NAMES.map((queue) => `worker-${queue}`));
  });

  it('mounts only files that exist', () => {
    const binds = Object.values(compose.services)
      .flatMap((service) => service.volumes ?? [])
      .filter((volume) => volume.startsWith('./'))
      .map((volume) => volume.split(':')[0] ?? '');
    expect(binds).toEqual(['./docker/postgres-roles.sh']);
    for (const bind of binds) expect(statSync(resolve(repository, bind)).mode & 0o555).toBe(0o555);
  });
});

describe('Dockerfile', () => {
  const lines = dockerfile.split('\n').map((line) => line.trim());
  const finalStage = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const sources = lines
    .filter((line) => line.startsWith('COPY ') && !line.startsWith('COPY --from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));

  it('copies only what exists and what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      expect({ source, exists: existsSync(resolve(repository, source)) }).toEqual({ source, exists: true });
      expect(allowed).toContain(source);
    }
  });

  it('copies only from stages that it has', () => {
    const stages = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' AS ')[1]);
    const used = lines.flatMap((line) => /^COPY --from=(\S+)/.exec(line)?.[1] ?? []);
    expect(stages).toEqual(expect.arrayContaining(used));
    expect(used.length).toBeGreaterThan(0);
  });

  it('runs as a user without rights, with a health check, and without development dependencies', () => {
    expect(finalStage).toContain('USER node');
    expect(finalStage.some((line) => line.startsWith('HEALTHCHECK '))).toBe(true);
    expect(finalStage.filter((line) => line.includes('node_modules'))).toEqual([
      'COPY --from=production /app/node_modules node_modules',
    ]);
    expect(dockerfile).toMatch(/FROM deps AS production\n(?:#.*\n)*RUN npm prune --omit=dev/);
  });
});
