import type { JobRow } from '../store/job-rows.js';
import type { Candidate, LineKind } from './candidate.js';
import type { KeyFacts, RateFact } from './read-keys.js';

/**
 * What the rules say of a candidate:
 * - `admit`: nothing stands in its way;
 * - `wait`: it goes into the line, which is to be looked at again at `dueAt`; null: whenever that was to happen anyway. `cancel` names the
 *   jobs that are to make room for it;
 * - `skip`: it is not to run, because of `holder`;
 * - `expire`: its time is over.
 */
export type Verdict =
  | { kind: 'admit' }
  | { kind: 'wait'; line: LineKind; key: string; dueAt: Date | null; cancel: string[] }
  | { kind: 'skip'; key: string; holder: string }
  | { kind: 'expire' };

/** A line is looked at as soon as a holder of its key ends. This is for holders whose worker died before it could say so. */
const BACKSTOP_MS = 5_000;

/** Concurrency keys and rate limits as they are in the course of one pass: what it admits counts for what it looks at next. */
export class KeyRules {
  private readonly holders = new Map<string, string[]>();
  private readonly concurrencyLines = new Set<string>();
  private readonly rateLines = new Set<string>();
  private readonly rates = new Map<string, RateFact>();
  private readonly starts = new Map<string, number>();

  constructor(
    private readonly now: Date,
    facts: Pick<KeyFacts, 'concurrency' | 'rates'>,
  ) {
    for (const { workspaceId, key, holders, hasLine } of facts.concurrency) {
      this.holders.set(`${workspaceId} ${key}`, [...holders]);
      if (hasLine) this.concurrencyLines.add(`${workspaceId} ${key}`);
    }
    for (const fact of facts.rates) {
      this.rates.set(rateId(fact.workspaceId, fact.key, fact.limit, fact.periodSeconds), fact);
      if (fact.hasLine) this.rateLines.add(`${fact.workspaceId} ${fact.key}`);
    }
  }

  judge(candidate: Candidate): Verdict {
    if (candidate.row.expires_at !== null && candidate.row.expires_at <= this.now) return { kind: 'expire' };
    return this.judgeConcurrency(candidate) ?? this.judgeRate(candidate) ?? { kind: 'admit' };
  }

  /** The job is admitted: it holds its key and has used its start. */
  admitted(row: JobRow): void {
    if (row.concurrency_key !== null) this.holdersOf(row.workspace_id, row.concurrency_key).push(row.id);
    if (row.rate_limit_key === null) return;
    const id = `${row.workspace_id} ${row.rate_limit_key}`;
    this.starts.set(id, (this.starts.get(id) ?? 0) + 1);
  }

  /** The job has joined a line: nobody who comes later goes past it. */
  joined(row: JobRow, line: LineKind): void {
    if (line === 'CONCURRENCY') this.concurrencyLines.add(`${row.workspace_id} ${row.concurrency_key}`);
    else this.rateLines.add(`${row.workspace_id} ${row.rate_limit_key}`);
  }

  private judgeConcurrency({ row, line }: Candidate): Verdict | null {
    const { workspace_id: workspaceId, concurrency_key: key, concurrency_limit: limit } = row;
    if (key === null || limit === null) return null;
    const holders = this.holdersOf(workspaceId, key);
    const tooMany = holders.length - limit + 1;
    const holder = holders[0];
    if (tooMany <= 0 || holder === undefined) {
      const joins = row.concurrency_on_conflict !== 'skip' && line !== 'CONCURRENCY';
      return joins && this.concurrencyLines.has(`${workspaceId} ${key}`)
        ? { kind: 'wait', line: 'CONCURRENCY', key, dueAt: null, cancel: [] }
        : null;
    }
    if (row.concurrency_on_conflict === 'skip') return { kind: 'skip', key, holder };
    // Nobody is cancelled for a job that has to wait for others before it.
    const isNext = line === 'CONCURRENCY' || !this.concurrencyLines.has(`${workspaceId} ${key}`);
    const cancels = isNext && row.concurrency_on_conflict === 'cancel-running';
    const cancel = cancels ? holders.slice(0, tooMany) : [];
    const dueAt = new Date(this.now.getTime() + BACKSTOP_MS);
    return { kind: 'wait', line: 'CONCURRENCY', key, dueAt, cancel };
  }

  private judgeRate({ row, line }: Candidate): Verdict | null {
    const { workspace_id: workspaceId, rate_limit_key: key, rate_limit_count: limit } = row;
    const periodSeconds = row.rate_limit_period_seconds;
    if (key === null || limit === null || periodSeconds === null) return null;
    const fact = this.rates.get(rateId(workspaceId, key, limit, periodSeconds));
    const starts = (fact?.starts ?? 0) + (this.starts.get(`${workspaceId} ${key}`) ?? 0);
    if (starts >= limit) {
      const dueAt = new Date((fact?.earliest ?? this.now).getTime() + periodSeconds * 1_000);
      return { kind: 'wait', line: 'RATE_LIMIT', key, dueAt, cancel: [] };
    }
    return line !== 'RATE_LIMIT' && this.rateLines.has(`${workspaceId} ${key}`)
      ? { kind: 'wait', line: 'RATE_LIMIT', key, dueAt: null, cancel: [] }
      : null;
  }

  private holdersOf(workspaceId: string, key: string): string[] {
    const id = `${workspaceId} ${key}`;
    const known = this.holders.get(id) ?? [];
    this.holders.set(id, known);
    return known;
  }
}

function rateId(workspaceId: string, key: string, limit: number, periodSeconds: number): string {
  return `${workspaceId} ${limit} ${periodSeconds} ${key}`;
}
