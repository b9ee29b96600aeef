import type { DatabaseClient } from '#database';
import type { JobRow } from '../store/job-rows.js';
import type { LineKey, LineKind } from './candidate.js';
import { CANDIDATE_COLUMNS, TENANT_COLUMNS, type TenantColumns } from './read-ready.js';

/** The most lines that one pass looks at because they are due, and the most jobs that it reads of each. */
const LINES = 50;
export const LINE_HEAD = 20;

/** A line that is looked at, and who stands at its head. */
export interface Line extends LineKey {
  head: JobRow[];
  tenant: TenantColumns & { workspace_id: string };
}

type LineRow = TenantColumns & Partial<JobRow> & { line_workspace_id: string; line_kind: LineKind; line_key: string };

/** The heads of the lines that are due, and of those that are named, where anybody waits in them. */
export async function readLines(client: DatabaseClient, named: LineKey[]): Promise<Line[]> {
  const values = [
    named.map(({ workspaceId }) => workspaceId),
    named.map(({ kind }) => kind),
    named.map(({ key }) => key),
  ];
  const { rows } = await client.query<LineRow>({ name: 'line-heads', text: LINE_HEADS, values });
  const lines: Line[] = [];
  for (const row of rows) {
    const { line_workspace_id: workspaceId, line_kind: kind, line_key: key } = row;
    let line = lines.at(-1);
    if (line?.workspaceId !== workspaceId || line.kind !== kind || line.key !== key) {
      line = { workspaceId, kind, key, head: [], tenant: { ...tenantColumns(row), workspace_id: workspaceId } };
      lines.push(line);
    }
    if (isJob(row)) line.head.push(row);
  }
  return lines;
}

function tenantColumns({ active, max_running_jobs }: TenantColumns): TenantColumns {
  return { active, max_running_jobs };
}

function isJob(row: LineRow): row is LineRow & JobRow {
  return row.id !== null;
}

const waiting = (kind: LineKind, column: string): string => `
    (SELECT ${CANDIDATE_COLUMNS} FROM runner_jobs
     WHERE line.kind = '${kind}' AND status = 'PENDING' AND hold = '${kind}' AND workspace_id = line.workspace_id AND ${column} = line.key
       AND cancel_requested_at IS NULL
     ORDER BY priority, id LIMIT ${LINE_HEAD})`;

const LINE_HEADS = `
WITH line AS MATERIALIZED (
  (SELECT workspace_id, kind, key FROM admission_keys WHERE due_at <= (SELECT clock_timestamp()) ORDER BY due_at LIMIT ${LINES})
  UNION
  SELECT known.workspace_id, known.kind, known.key
  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS named(workspace_id, kind, key)
  JOIN admission_keys AS known ON known.workspace_id = named.workspace_id AND known.kind = named.kind AND known.key = named.key
), tenant AS MATERIALIZED (
  SELECT workspace.id, ${TENANT_COLUMNS}
  FROM (SELECT DISTINCT workspace_id FROM line) AS known JOIN workspaces AS workspace ON workspace.id = known.workspace_id
)
SELECT line.workspace_id AS line_workspace_id, line.kind AS line_kind, line.key AS line_key, tenant.max_running_jobs, tenant.active, job.*
FROM line JOIN tenant ON tenant.id = line.workspace_id
LEFT JOIN LATERAL (${waiting('CONCURRENCY', 'concurrency_key')}
    UNION ALL ${waiting('RATE_LIMIT', 'rate_limit_key')}) AS job ON true
ORDER BY line.workspace_id, line.kind, line.key, job.priority, job.id`;
