import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, migrate, withOwner } from '#database';
import { AdmissionPass, FIRST_WORKSPACE } from '#runner';
import { startMeasuredPostgres } from './bench-system.js';
import { percentile, round } from './measure-jobs.js';

const WINDOW = 16;
/** Not counted: the first ones find cold plans. */
const WARM_UP = 10;
const PASSES = 40;

/** What one pass of admission costs while so many jobs wait. Each pass has a queue of 16 places to fill. */
export interface AdmissionFigures {
  workspaces: number;
  pendingJobs: number;
  admittedPerPass: number;
  passP50Ms: number;
  passP99Ms: number;
  buffersPerPass: number;
  /** A pass while the queue is full: it only finds that out. */
  fullPassP50Ms: number;
  fullBuffersPerPass: number;
}

type Sql = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

/** A database of its own and no workers: nothing but the pass is measured. */
export async function measureAdmission(pending: number[], workspaces: number[]): Promise<AdmissionFigures[]> {
  const figures: AdmissionFigures[] = [];
  const dataDir = await mkdtemp(join(tmpdir(), 'runledger-bench-'));
  const postgres = await startMeasuredPostgres(dataDir);
  try {
    await migrate(postgres.ownerUrl);
    const sql: Sql = async <Row extends object>(text: string, values?: unknown[]) =>
      withOwner(postgres.ownerUrl, async (client) => (await client.query(text, values)).rows as Row[]);
    for (const tenants of workspaces) {
      for (const jobs of pending) figures.push(await measure(postgres.workerUrl, sql, jobs, Math.min(tenants, jobs)));
    }
  } finally {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
  return figures;
}

async function measure(url: string, sql: Sql, jobs: number, tenants: number): Promise<AdmissionFigures> {
  await fill(sql, jobs, tenants);
  const database = new Database({ url, role: 'worker', poolSize: 2 });
  const pass = new AdmissionPass(database, { type: 'worker', id: 'bench' });
  let after = FIRST_WORKSPACE;
  const once = async (): Promise<{ ms: number; admitted: number }> => {
    const startedAt = performance.now();
    const { plan, admitted } = await pass.run({ window: WINDOW, after, lines: [], dueLines: false });
    after = plan.lastServed ?? after;
    return { ms: performance.now() - startedAt, admitted: admitted.length };
  };
  const makeRoom = (): Promise<object[]> =>
    sql(`UPDATE runner_jobs SET status = 'COMPLETED', completed_at = now() WHERE status = 'QUEUED'`);
  try {
    const free = await repeat(sql, once, makeRoom);
    await once();
    const full = await repeat(sql, once, () => Promise.resolve());
    return {
      ...{ workspaces: tenants, pendingJobs: jobs, admittedPerPass: round(free.admitted) },
      ...{ passP50Ms: percentile(free.ms, 50), passP99Ms: percentile(free.ms, 99), buffersPerPass: free.buffers },
      ...{ fullPassP50Ms: percentile(full.ms, 50), fullBuffersPerPass: full.buffers },
    };
  } finally {
    await database.close();
  }
}

async function repeat(
  sql: Sql,
  once: () => Promise<{ ms: number; admitted: number }>,
  before: () => Promise<unknown>,
): Promise<{ ms: number[]; admitted: number; buffers: number }> {
  const ms: number[] = [];
  let admitted = 0;
  for (let pass = 0; pass < WARM_UP + PASSES; pass += 1) {
    if (pass === WARM_UP) await sql('SELECT pg_stat_statements_reset()');
    await before();
    const one = await once();
    if (pass < WARM_UP) continue;
    ms.push(one.ms);
    admitted += one.admitted;
  }
  const [row] = await sql<{ buffers: number }>(
    `SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::int AS buffers FROM pg_stat_statements WHERE userid <> current_user::regrole`,
  );
  return { ms, admitted: admitted / PASSES, buffers: Math.round((row?.buffers ?? 0) / PASSES) };
}

/** Rows alone: what waits needs no steps to be measured. */
async function fill(sql: Sql, jobs: number, tenants: number): Promise<void> {
  // What ran before stays in the table, as it does in an installation.
  await sql(`UPDATE runner_jobs SET status = 'CANCELLED', completed_at = now() WHERE completed_at IS NULL`);
  await sql(
    `INSERT INTO workspaces (id, name, slug) SELECT gen_random_uuid(), 'bench', 'bench-' || gen_random_uuid() FROM generate_series(1, $1::int)`,
    [tenants],
  );
  await sql(
    `WITH tenant AS (SELECT id, row_number() OVER () - 1 AS n FROM (SELECT id FROM workspaces ORDER BY created_at DESC LIMIT $2::int) AS latest)
     INSERT INTO runner_jobs (id, workspace_id, name, definition, created_by_type, created_by_id)
     SELECT gen_random_uuid(), tenant.id, 'bench', '{}', 'system', 'bench'
     FROM generate_series(1, $1::int) AS job(n) JOIN tenant ON tenant.n = job.n % $2::int`,
    [jobs, tenants],
  );
  await sql('VACUUM ANALYZE runner_jobs');
}
