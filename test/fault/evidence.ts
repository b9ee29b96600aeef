import { readFileSync } from 'node:fs';
import { processesOf } from '../e2e/processes.js';
import { until } from '../e2e/system/system-fixture.js';
import type { FaultSystem } from './fault-system.js';

/** An event as far as the guarantees are about it. */
export interface Fact {
  job: string;
  seq: number;
  type: string;
  step: string | null;
  /** Its step's, where it has one. */
  key: string | null;
  stepType: string | null;
  actorType: string;
  actor: string;
  attempt: number | null;
  epoch: number | null;
  atMs: number;
}

/** What is left of these jobs when all is over. */
export interface Evidence {
  lost: string[];
  duplicates: string[];
  facts: Map<string, Fact[]>;
}

const VERIFIED_AT_ONCE = 4;

/**
 * Waits until all of these jobs have ended, without help, and holds them against every guarantee: none is lost, no step has two
 * completions, every ledger verifies and folds to its rows, what really ran is what was recorded, nobody wrote after losing the job, and no
 * process is left.
 *
 * @param marked false: isolated commands, which cannot leave marks outside of their sandbox
 */
export async function expectGuarantees(
  system: FaultSystem,
  ids: string[],
  withinMs = 60_000,
  marked = true,
): Promise<Evidence> {
  await allOver(system, ids, withinMs);
  const rows = await system.sql<{ id: string; status: string; error: string | null }>(
    `SELECT id, status, error_message AS error FROM runner_jobs WHERE id = ANY ($1::uuid[])`,
    [ids],
  );
  const lost = ids.filter((id) => !rows.some((row) => row.id === id));
  expect(rows.filter(({ status }) => status !== 'COMPLETED')).toEqual([]);
  const facts = await factsOf(system, ids);
  const duplicates = [...doubleCompletions(facts), ...doubleMarks(facts, marksOf(system))];
  expect({ lost, duplicates }).toEqual({ lost: [], duplicates: [] });
  if (marked) expect(unrecordedMarks(facts, marksOf(system))).toEqual([]);
  expect(writesAfterLosing(facts)).toEqual([]);
  await expectVerified(system, ids);
  await expectNoProcesses(system);
  return { lost, duplicates, facts };
}

export async function allOver(system: FaultSystem, ids: string[], withinMs: number): Promise<void> {
  let open: object[] = [];
  await until(
    `the end of ${ids.length} jobs`,
    async () => {
      open = await system
        .sql<object>(
          `SELECT id, status, epoch, offers, lease_owner, lease_expires_at - now() AS lease_left FROM runner_jobs
           WHERE id = ANY ($1::uuid[]) AND completed_at IS NULL`,
          [ids],
        )
        // The database may be what is away.
        .catch(() => [{ unknown: true }]);
      return open.length === 0 ? true : null;
    },
    withinMs,
  ).catch((error: unknown) => {
    const logs = system.apps.map((app) => `--- ${app.pid}${app.alive ? '' : ' (gone)'}\n${app.log().slice(-2_000)}`);
    throw new Error(`${String(error)}; open: ${JSON.stringify(open.slice(0, 5))} ${open.length}\n${logs.join('\n')}`);
  });
}

export async function factsOf(system: FaultSystem, ids: string[]): Promise<Map<string, Fact[]>> {
  const rows = await system.sql<Fact>(
    `SELECT e.job_id AS job, e.seq, e.type, e.step_id AS step, s.key, s.type AS "stepType", e.actor_type AS "actorType", e.actor_id AS actor,
       (e.payload->>'attempt')::int AS attempt, (e.payload->>'epoch')::int AS epoch,
       (extract(epoch FROM e.timestamp) * 1000)::float8 AS "atMs"
     FROM job_events AS e LEFT JOIN job_steps AS s ON s.id = e.step_id
     WHERE e.job_id = ANY ($1::uuid[]) ORDER BY e.job_id, e.seq`,
    [ids],
  );
  const facts = new Map<string, Fact[]>();
  for (const row of rows) facts.set(row.job, [...(facts.get(row.job) ?? []), row]);
  return facts;
}

/** Each line is `job step attempt`, once for every time that this attempt ran. */
export function marksOf(system: FaultSystem): string[] {
  let text = '';
  try {
    text = readFileSync(system.marks, 'utf8');
  } catch {
    // Nothing has run yet.
  }
  return text.split('\n').flatMap((line) => {
    const [job, step, attempt] = line.split(' ');
    return attempt === undefined ? [] : [`${job} ${step} ${attempt}`];
  });
}

function doubleCompletions(facts: Map<string, Fact[]>): string[] {
  const completions = [...facts.values()].flat().filter(({ type }) => type === 'step.completed');
  return repeated(completions.map(({ job, key }) => `${job} ${key} completed`));
}

/** An attempt has a number because it was recorded before it began: no two of them share one. */
function doubleMarks(facts: Map<string, Fact[]>, marks: string[]): string[] {
  return repeated(marks.filter((mark) => facts.has(mark.split(' ')[0] ?? '')));
}

/** Marks without a recorded attempt, and completed attempts of commands without a mark. */
function unrecordedMarks(facts: Map<string, Fact[]>, marks: string[]): string[] {
  const seen = new Set(marks);
  const [started, completed] = ['step.started', 'step.completed'].map(
    (type) =>
      new Set(
        [...facts.values()]
          .flat()
          .filter((fact) => fact.type === type && fact.stepType === 'COMMAND')
          .map(({ job, key, attempt }) => `${job} ${key} ${attempt}`),
      ),
  );
  return [
    ...[...seen].filter((mark) => facts.has(mark.split(' ')[0] ?? '') && started?.has(mark) !== true),
    ...[...(completed ?? [])].filter((mark) => !seen.has(mark)).map((mark) => `${mark} completed without a mark`),
  ];
}

/** A worker holds a job from its `phase.started` to that of another claim. Nothing of its own comes after that, unless it claims again. */
export function writesAfterLosing(facts: Map<string, Fact[]>): Fact[] {
  return [...facts.values()].flatMap((events) => {
    const claims = new Map<string, number>();
    let current = 0;
    return events.filter((fact) => {
      if (fact.type === 'phase.started' && fact.epoch !== null) {
        const older = fact.epoch < current;
        claims.set(fact.actor, fact.epoch);
        current = Math.max(current, fact.epoch);
        return older;
      }
      return fact.actorType === 'worker' && (claims.get(fact.actor) ?? current) < current;
    });
  });
}

async function expectVerified(system: FaultSystem, ids: string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += VERIFIED_AT_ONCE) {
    const reports = await Promise.all(ids.slice(at, at + VERIFIED_AT_ONCE).map((id) => system.client.verify(id)));
    for (const report of reports)
      expect(report).toMatchObject({ valid: true, firstBad: null, fold: { matches: true, differences: [] } });
  }
}

/** Every command's environment names a file in the data folder, and so does that of our own processes. */
export async function expectNoProcesses(system: FaultSystem, withinMs = 10_000): Promise<void> {
  const ours = new Set(system.apps.map(({ pid }) => pid));
  await until(
    'the end of every command',
    () => (processesOf(system.dataDir).every((pid) => ours.has(pid)) ? true : null),
    withinMs,
  );
}

function repeated(texts: string[]): string[] {
  const seen = new Set<string>();
  return texts.filter((text) => seen.size === seen.add(text).size);
}
