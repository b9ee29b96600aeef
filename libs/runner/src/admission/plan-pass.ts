import { assertNever } from '#kernel';
import type { JobRow } from '../store/job-rows.js';
import { lineId, type Candidate, type LineKey, type LineKind, type Tenant } from './candidate.js';
import { KeyRules, type Verdict } from './key-rules.js';
import type { KeyFacts } from './read-keys.js';
import { LINE_HEAD, type Line } from './read-lines.js';
import { tenantOf, type Ready } from './read-ready.js';
import { sharePlaces, type Sharing } from './share-places.js';

export interface Admitted {
  row: JobRow;
  /** Its place in the order of the queue, 0 first. */
  rank: number;
}

/** A job that is not to run, because another holds its key. */
export interface Skipped {
  row: JobRow;
  key: string;
  holder: string;
}

/** A job that is to be cancelled because another one wants its key. */
export interface Ousted {
  workspaceId: string;
  jobId: string;
  key: string;
  /** The job that it makes room for. */
  by: string;
}

/** What one pass does. */
export interface Plan extends Sharing {
  admitted: Admitted[];
  held: { row: JobRow; hold: LineKind }[];
  /** Lines that were looked at: the time at which that was due is over. */
  looked: LineKey[];
  /** Lines in which somebody waits, and when to look at them again. One that is there already keeps an earlier time. */
  lines: (LineKey & { dueAt: Date })[];
  /** Lines whose next could have gone, had there been a place. */
  stalled: LineKey[];
  skipped: Skipped[];
  ousted: Ousted[];
  expired: string[];
}

/** Skipping writes to each job's chain: the rest is for the next pass. */
const MAX_SKIPPED = 50;

/** A line that nobody says anything about is looked at so often. */
const LINE_BACKSTOP_MS = 5_000;

/** Decides about everything that a pass has read. Pure. */
export function planPass(ready: Ready, lines: Line[], facts: Pick<KeyFacts, 'concurrency' | 'rates'>): Plan {
  const planner = new Planner(ready.now, new KeyRules(ready.now, facts), lines);
  const sharing = sharePlaces(ready.places, withLines(ready.tenants, lines), (candidate, rank) =>
    planner.consider(candidate, rank),
  );
  return { ...planner.concluded(), ...sharing };
}

/** All candidates, those at the heads of lines included, each workspace's in their order. */
export function withLines(tenants: Tenant[], lines: Line[]): Tenant[] {
  const all = new Map(
    tenants.map((tenant) => [
      tenant.workspaceId,
      { ...tenant, active: [...tenant.active], candidates: [...tenant.candidates] },
    ]),
  );
  for (const line of lines) {
    const tenant = all.get(line.workspaceId) ?? tenantOf(line.tenant);
    all.set(line.workspaceId, tenant);
    tenant.candidates.push(...line.head.map((row) => ({ row, line: line.kind })));
  }
  for (const { candidates } of all.values()) candidates.sort(inOrder);
  return [...all.values()];
}

function inOrder({ row: one }: Candidate, { row: other }: Candidate): number {
  return one.priority - other.priority || (one.id < other.id ? -1 : 1);
}

class Planner {
  private readonly admitted: Admitted[] = [];
  private readonly held: Plan['held'] = [];
  private readonly skipped: Skipped[] = [];
  private readonly ousted: Ousted[] = [];
  private readonly expired: string[] = [];
  private readonly due = new Map<string, LineKey & { dueAt: Date }>();
  /** Who has left the line that they were read from. */
  private readonly left = new Set<string>();
  private readonly blocked = new Set<string>();

  constructor(
    private readonly now: Date,
    private readonly rules: KeyRules,
    private readonly lines: Line[],
  ) {}

  consider(candidate: Candidate, rank: number): 'place' | 'aside' {
    const { row } = candidate;
    // Nobody goes past the one before them in a line.
    const own = candidate.line === null ? null : lineId(lineOf(row, candidate.line));
    if (own !== null && this.blocked.has(own)) return 'aside';
    const verdict = this.rules.judge(candidate);
    switch (verdict.kind) {
      case 'admit':
        this.rules.admitted(row);
        this.admitted.push({ row, rank });
        this.left.add(row.id);
        return 'place';
      case 'wait':
        this.wait(candidate, verdict);
        return 'aside';
      case 'skip':
        if (this.skipped.length < MAX_SKIPPED) this.skipped.push({ row, key: verdict.key, holder: verdict.holder });
        return 'aside';
      case 'expire':
        this.expired.push(row.id);
        if (own !== null) this.blocked.add(own);
        return 'aside';
      default:
        return assertNever(verdict);
    }
  }

  concluded(): Pick<Plan, 'admitted' | 'held' | 'skipped' | 'ousted' | 'expired' | 'looked' | 'lines' | 'stalled'> {
    const looked = this.lines.map(({ workspaceId, kind, key }) => ({ workspaceId, kind, key }));
    const waited = this.lines.filter((line) => this.isWaitedIn(line));
    for (const line of waited) this.lookAgain(line, this.backstop());
    const stalled = looked.filter((_, index) => {
      const line = this.lines[index];
      return line !== undefined && waited.includes(line) && !this.blocked.has(lineId(line));
    });
    const { admitted, held, skipped, ousted, expired } = this;
    return { admitted, held, skipped, ousted, expired, looked, stalled, lines: [...this.due.values()] };
  }

  private isWaitedIn(line: Line): boolean {
    const joined = this.held.some(({ row, hold }) => lineId(lineOf(row, hold)) === lineId(line));
    const stays = line.head.some((row) => !this.left.has(row.id));
    return joined || stays || line.head.length === LINE_HEAD;
  }

  private backstop(): Date {
    return new Date(this.now.getTime() + LINE_BACKSTOP_MS);
  }

  private wait({ row, line }: Candidate, verdict: Extract<Verdict, { kind: 'wait' }>): void {
    const key = lineOf(row, verdict.line);
    if (verdict.dueAt !== null) {
      this.lookAgain(key, verdict.dueAt);
      this.blocked.add(lineId(key));
    } else this.lookAgain(key, this.backstop());
    for (const jobId of verdict.cancel)
      this.ousted.push({ workspaceId: row.workspace_id, jobId, key: verdict.key, by: row.id });
    if (line === verdict.line) return;
    this.held.push({ row, hold: verdict.line });
    this.left.add(row.id);
    this.rules.joined(row, verdict.line);
  }

  private lookAgain(key: LineKey, dueAt: Date): void {
    const { workspaceId, kind } = key;
    const known = this.due.get(lineId(key));
    if (known === undefined || known.dueAt > dueAt)
      this.due.set(lineId(key), { workspaceId, kind, key: key.key, dueAt });
  }
}

function lineOf(row: JobRow, kind: LineKind): LineKey {
  const key = kind === 'CONCURRENCY' ? row.concurrency_key : row.rate_limit_key;
  if (key === null) throw new Error(`job ${row.id} waits for no ${kind}`);
  return { workspaceId: row.workspace_id, kind, key };
}
