import { Database } from '#database';
import { newId } from '#kernel';
import { listStatement, type JobListOptions } from '../../../libs/runner/src/queries/job-list.js';
import { startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

const JOBS = 20_000;
const PAGE = 20;

interface Plan {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: Plan[];
}

describe('a search among many jobs', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  const projectId = newId();
  beforeAll(async () => {
    api = await startApi();
    tenant = await api.tenant();
    const { id } = await submit(api, tenant);
    const columns =
      'workspace_id, kind, name, priority, definition, created_by_type, created_by_id, created_at, updated_at, head_seq, head_hash';
    await api.asOwner(
      `INSERT INTO runner_jobs (id, ${columns}, project_id)
       SELECT overlay(gen_random_uuid()::text PLACING lpad(to_hex(n), 8, '0') FROM 1 FOR 8)::uuid, ${columns}, CASE WHEN n % 100 = 0 THEN $2::uuid END
       FROM runner_jobs, generate_series(1, $3::int) AS n WHERE id = $1`,
      [id, projectId, JOBS],
    );
    // Everybody has "common"; every 100th has "rare"; every 4,000th has "rarest".
    await api.asOwner(
      `INSERT INTO job_terms (workspace_id, term, job_id)
       SELECT workspace_id, term, id FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM runner_jobs) AS job,
         LATERAL (VALUES ('tag=common', 1), ('tag=rare', 100), ('meta.which=rarest', 4000)) AS word(term, every) WHERE n % every = 0`,
    );
    await api.asOwner('ANALYZE runner_jobs, job_terms');
  });
  afterAll(() => api.close());

  /** The rows that the statement touched, and the kinds of its nodes, as the API's role runs it. */
  async function planOf(
    options: Partial<JobListOptions>,
  ): Promise<{ touched: number; found: number; nodes: string[] }> {
    const { text, values } = listStatement(tenant.workspaceId, { limit: PAGE, beforeId: null, ...options });
    const literal = (value: unknown): string => (typeof value === 'number' ? String(value) : `'${String(value)}'`);
    const filled = text.replace(/\$(\d+)/g, (_, index) => literal(values[Number(index) - 1]));
    const [row] = await api.app.get(Database).tenantQuery<{ 'QUERY PLAN': [{ Plan: Plan }] }>(tenant.workspaceId, {
      text: `EXPLAIN (ANALYZE, FORMAT JSON) ${filled}`,
    });
    const root = row?.['QUERY PLAN'][0].Plan;
    if (root === undefined) throw new Error('no plan');
    const nodes: Plan[] = [];
    const walk = (plan: Plan): void => {
      nodes.push(plan);
      plan.Plans?.forEach(walk);
    };
    walk(root);
    const touched = nodes.reduce((sum, one) => sum + (one['Actual Rows'] + (one['Rows Removed by Filter'] ?? 0)) * one['Actual Loops'], 0); // prettier-ignore
    return { touched, found: root['Actual Rows'], nodes: nodes.map((one) => one['Node Type']) };
  }

  it.each<[string, Partial<JobListOptions>, number, number]>([
    ['a common word', { tags: ['common'] }, PAGE, 200],
    ['a rare word', { tags: ['rare'] }, PAGE, 200],
    ['a common and a rare word', { tags: ['common', 'rare'] }, PAGE, 400],
    ['three words, the rarest last', { tags: ['common', 'rare'], metadata: { which: 'rarest' } }, 5, 400],
    ['a project', { projectId }, PAGE, 200],
    ['a word and a status', { tags: ['common'], status: 'PENDING' }, PAGE, 200],
  ])('by %s reads little more than its page', async (_, options, found, most) => {
    const plan = await planOf(options);
    expect(plan.found).toBe(found);
    expect(plan.nodes.filter((node) => /Seq Scan|Bitmap|Sort/.test(node))).toEqual([]);
    expect(plan.touched).toBeLessThan(most);
  });
});
