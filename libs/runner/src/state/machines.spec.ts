import { JOB_STATUSES, STEP_STATUSES } from './job-state.js';
import { JOB_TRANSITIONS, canMoveJob, isTerminalJob } from './job.machine.js';
import { STEP_TRANSITIONS, canMoveStep, isTerminalStep } from './step.machine.js';

type Table = Record<string, readonly string[]>;

function reachable(table: Table, start: string): Set<string> {
  const seen = new Set([start]);
  for (const state of seen) for (const next of table[state] ?? []) seen.add(next);
  return seen;
}

describe.each<[string, Table, readonly string[], string[]]>([
  ['job', JOB_TRANSITIONS, JOB_STATUSES, ['COMPLETED', 'FAILED', 'CANCELLED']],
  ['step', STEP_TRANSITIONS, STEP_STATUSES, ['COMPLETED', 'FAILED', 'SKIPPED']],
])('the %s machine', (_name, table, states, terminal) => {
  it('knows every state, and moves only to states that it knows', () => {
    expect(Object.keys(table).sort()).toEqual([...states].sort());
    expect(
      Object.values(table)
        .flat()
        .every((state) => states.includes(state)),
    ).toBe(true);
  });

  it('reaches every state from PENDING', () => {
    expect([...reachable(table, 'PENDING')].sort()).toEqual([...states].sort());
  });

  it('never leaves exactly these states', () => {
    expect(states.filter((state) => table[state]?.length === 0)).toEqual(terminal);
  });

  it('can end from everywhere', () => {
    for (const state of states) expect([...reachable(table, state)].some((end) => terminal.includes(end))).toBe(true);
  });

  it('moves from no state to itself, and names no move twice', () => {
    for (const [state, next] of Object.entries(table)) {
      expect(next).not.toContain(state);
      expect(new Set(next).size).toBe(next.length);
    }
  });
});

describe('the predicates', () => {
  it('read the tables', () => {
    for (const from of JOB_STATUSES) {
      expect(isTerminalJob(from)).toBe(['COMPLETED', 'FAILED', 'CANCELLED'].includes(from));
      for (const to of JOB_STATUSES) expect(canMoveJob(from, to)).toBe(JOB_TRANSITIONS[from].includes(to));
    }
    for (const from of STEP_STATUSES) {
      expect(isTerminalStep(from)).toBe(['COMPLETED', 'FAILED', 'SKIPPED'].includes(from));
      for (const to of STEP_STATUSES) expect(canMoveStep(from, to)).toBe(STEP_TRANSITIONS[from].includes(to));
    }
  });

  it('let a job run only after it was queued, and a step run again only after it waited', () => {
    expect(canMoveJob('PENDING', 'RUNNING')).toBe(false);
    expect(canMoveJob('PENDING', 'QUEUED') && canMoveJob('QUEUED', 'RUNNING')).toBe(true);
    expect(canMoveStep('RUNNING', 'PENDING')).toBe(true);
    expect(canMoveStep('RUNNING', 'SKIPPED')).toBe(false);
    expect(canMoveStep('PENDING', 'COMPLETED')).toBe(false);
  });
});
