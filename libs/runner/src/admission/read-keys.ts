import type { DatabaseClient } from '#database';
import type { Candidate } from './candidate.js';

/** Who holds a concurrency key now. */
export interface ConcurrencyFact {
  workspaceId: string;
  key: string;
  /** Ids of the jobs that are on offer, worked on or parked, oldest first; not all of them where they are more than anybody may ask. */
  holders: string[];
  /** True when others wait for the key already. */
  hasLine: boolean;
  /** By the database's clock, in whole milliseconds. */
  readAt: Date;
}

/** The starts under a rate limit in the period that ends now. */
export interface RateFact {
  workspaceId: string;
  key: string;
  limit: number;
  periodSeconds: number;
  /** At most `limit`. */
  starts: number;
  /** The earliest of these: when it leaves the period, another job may start. */
  earliest: Date | null;
  hasLine: boolean;
}

/** Enough to cancel all holders of any sensible key. */
const CANCELLABLE = 1_000;

export interface KeyFacts {
  /** Not before the end of any job that holds its key no more. */
  now: Date;
  concurrency: ConcurrencyFact[];
  rates: RateFact[];
}

/**
 * The facts about the keys of these candidates, each key once. The statements are sent together.
 * @param now the pass's time; a start exactly one period ago does not count any more
 */
export async function readKeyFacts(client: DatabaseClient, candidates: Candidate[], now: Date): Promise<KeyFacts> {
  const [concurrency, rates] = await Promise.all([
    readConcurrency(client, candidates),
    readRates(client, candidates, now),
  ]);
  return { now: concurrency[0]?.readAt ?? now, concurrency, rates };
}

interface ConcurrencyRow {
  workspace_id: string;
  key: string;
  holders: string[];
  has_line: boolean;
  read_at: Date;
}

async function readConcurrency(client: DatabaseClient, candidates: Candidate[]): Promise<ConcurrencyFact[]> {
  const asked = new Map<string, { workspaceId: string; key: string; most: number }>();
  for (const { row } of candidates) {
    if (row.concurrency_key === null) continue;
    const { workspace_id: workspaceId, concurrency_key: key } = row;
    const most = row.concurrency_on_conflict === 'cancel-running' ? CANCELLABLE : (row.concurrency_limit ?? 1);
    const id = `${workspaceId} ${key}`;
    asked.set(id, { workspaceId, key, most: Math.max(most, asked.get(id)?.most ?? 0) });
  }
  if (asked.size === 0) return [];
  const keys = [...asked.values()];
  const { rows } = await client.query<ConcurrencyRow>({
    name: 'concurrency-facts',
    text: CONCURRENCY,
    values: [keys.map(({ workspaceId }) => workspaceId), keys.map(({ key }) => key), keys.map(({ most }) => most)],
  });
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    key: row.key,
    holders: row.holders,
    hasLine: row.has_line,
    readAt: row.read_at,
  }));
}

interface RateRow {
  workspace_id: string;
  key: string;
  limit_count: number;
  period_seconds: number;
  starts: number;
  earliest: Date | null;
  has_line: boolean;
}

async function readRates(client: DatabaseClient, candidates: Candidate[], now: Date): Promise<RateFact[]> {
  const asked = new Map<string, [string, string, number, number]>();
  for (const { row } of candidates) {
    const { workspace_id: workspaceId, rate_limit_key: key, rate_limit_count: limit } = row;
    const periodSeconds = row.rate_limit_period_seconds;
    if (key === null || limit === null || periodSeconds === null) continue;
    asked.set(`${workspaceId} ${limit} ${periodSeconds} ${key}`, [workspaceId, key, limit, periodSeconds]);
  }
  if (asked.size === 0) return [];
  const keys = [...asked.values()];
  const column = (index: 0 | 1 | 2 | 3): (string | number)[] => keys.map((key) => key[index]);
  const { rows } = await client.query<RateRow>({
    name: 'rate-facts',
    text: RATES,
    values: [column(0), column(1), column(2), column(3), now],
  });
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    key: row.key,
    limit: row.limit_count,
    periodSeconds: row.period_seconds,
    starts: row.starts,
    earliest: row.earliest,
    hasLine: row.has_line,
  }));
}

/** Not EXISTS: that may be planned as a look at all lines that there are. */
const hasLine = (kind: string): string => `coalesce((SELECT true FROM admission_keys AS line
    WHERE line.workspace_id = asked.workspace_id AND line.kind = '${kind}' AND line.key = asked.key), false) AS has_line`;

const CONCURRENCY = `
SELECT asked.workspace_id, asked.key, ${hasLine('CONCURRENCY')}, date_trunc('milliseconds', clock_timestamp()) AS read_at, ARRAY(
    SELECT job.id FROM runner_jobs AS job
    WHERE job.status IN ('QUEUED', 'RUNNING') AND job.concurrency_key IS NOT NULL
      AND job.workspace_id = asked.workspace_id AND job.concurrency_key = asked.key
    ORDER BY job.id LIMIT asked.most) AS holders
FROM unnest($1::uuid[], $2::text[], $3::int[]) AS asked(workspace_id, key, most)`;

const RATES = `
SELECT asked.*, ${hasLine('RATE_LIMIT')}, window_.starts, window_.earliest
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) AS asked(workspace_id, key, limit_count, period_seconds)
CROSS JOIN LATERAL (
  SELECT count(*)::int AS starts, min(queued_at) AS earliest FROM (
    SELECT job.queued_at FROM runner_jobs AS job
    WHERE job.rate_limit_key IS NOT NULL AND job.queued_at IS NOT NULL
      AND job.workspace_id = asked.workspace_id AND job.rate_limit_key = asked.key
      AND job.queued_at > $5::timestamptz - asked.period_seconds * interval '1 second'
    ORDER BY job.queued_at DESC LIMIT asked.limit_count) AS latest
) AS window_`;
