import type { ChainVerdict, NewEvent } from '#ledger';
import { INSERT_EVENTS_COLUMNS, INSERT_EVENTS_RECORD, INSERT_EVENTS_SELECT, eventRow, sealEvents } from '#ledger';
import { openLedger, type LedgerFixture, type StoredJob } from './ledger-fixture.js';

let ledger: LedgerFixture;
let job: StoredJob;
let other: StoredJob;

/** Seven events; the payload of each says which one it is. */
function sevenEvents(stepId: string): NewEvent[] {
  return Array.from({ length: 7 }, (_, n) => ({
    type: 'step.completed',
    phase: 'EXECUTION',
    stepId,
    actor: { type: 'worker', id: 'host-1' },
    timestamp: `2026-11-21T08:00:0${n}.123Z`,
    payload: { attempt: 1, outputs: { n, text: 'ä€😀' }, exitCode: 0, durationMs: n },
  }));
}

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

beforeEach(async () => {
  job = await ledger.job(sevenEvents);
  other = await ledger.job(sevenEvents);
});

async function verify(id = job.id): Promise<ChainVerdict> {
  const verdict = await ledger.events.verifyJob(ledger.workspaceId, id);
  if (verdict === null) throw new Error('no such job');
  return verdict;
}

async function firstBad(id = job.id): Promise<[number, string] | null> {
  const verdict = await verify(id);
  return verdict.valid ? null : [verdict.firstBad.seq, verdict.firstBad.reason];
}

it('finds nothing in a ledger that nobody touched', async () => {
  expect(await verify()).toEqual({ valid: true, events: 7, head: job.head });
});

describe('one edited column', () => {
  const edits: Record<string, { to: string; finds: string }> = {
    workspace_id: { to: 'gen_random_uuid()', finds: 'EVENT_MISSING' },
    job_id: { to: 'gen_random_uuid()', finds: 'EVENT_MISSING' },
    step_id: { to: 'NULL', finds: 'EVENT_CHANGED' },
    seq: { to: '99', finds: 'EVENT_MISSING' },
    type: { to: `'step.failed'`, finds: 'EVENT_CHANGED' },
    phase: { to: `'CLEANUP'`, finds: 'EVENT_CHANGED' },
    actor_type: { to: `'user'`, finds: 'EVENT_CHANGED' },
    actor_id: { to: `'somebody else'`, finds: 'EVENT_CHANGED' },
    timestamp: { to: `timestamp + interval '1 millisecond'`, finds: 'EVENT_CHANGED' },
    payload: { to: `jsonb_set(payload, '{outputs,n}', '42')`, finds: 'PAYLOAD_CHANGED' },
    payload_hash: { to: `repeat('a', 64)`, finds: 'EVENT_CHANGED' },
    prev_hash: { to: `repeat('b', 64)`, finds: 'EVENT_CHANGED' },
    hash: { to: `repeat('c', 64)`, finds: 'EVENT_CHANGED' },
  };

  it('is tried with every column of the table but the handle and the note of an erasure', async () => {
    const columns = await ledger.owner(async (client) => {
      const text = `SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = 'job_events' AND table_schema = 'public'`;
      return (await client.query<{ name: string }>(text)).rows.map((row) => row.name);
    });
    expect(columns.filter((name) => name !== 'id' && name !== 'payload_erased_at').sort()).toEqual(
      Object.keys(edits).sort(),
    );
  });

  it.each(Object.entries(edits))('%s', async (column, { to, finds }) => {
    await ledger.tamper(`UPDATE job_events SET ${column} = ${to} WHERE job_id = $1 AND seq = 4`, [job.id]);
    expect(await firstBad()).toEqual([4, finds]);
    expect(await firstBad(other.id)).toBeNull();
  });

  it.each([1, 7])('is found in event %i as well', async (seq) => {
    await ledger.tamper(`UPDATE job_events SET actor_id = 'nobody' WHERE job_id = $1 AND seq = $2`, [job.id, seq]);
    expect(await firstBad()).toEqual([seq, 'EVENT_CHANGED']);
  });

  it('in the payload: a number that no double holds', async () => {
    await ledger.tamper(`UPDATE job_events SET payload = '{"durationMs": 1e400}' WHERE job_id = $1 AND seq = 2`, [
      job.id,
    ]);
    expect(await firstBad()).toEqual([2, 'PAYLOAD_CHANGED']);
  });
});

describe('other sets of events', () => {
  it.each([
    [1, 'EVENT_MISSING'],
    [4, 'EVENT_MISSING'],
    [7, 'TAIL_MISSING'],
  ])('event %i deleted', async (seq, reason) => {
    await ledger.tamper('DELETE FROM job_events WHERE job_id = $1 AND seq = $2', [job.id, seq]);
    expect(await firstBad()).toEqual([seq, reason]);
  });

  it('the tail cut off', async () => {
    await ledger.tamper('DELETE FROM job_events WHERE job_id = $1 AND seq > 4', [job.id]);
    expect(await verify()).toMatchObject({ valid: false, events: 4, firstBad: { seq: 5, reason: 'TAIL_MISSING' } });
  });

  it('everything deleted', async () => {
    await ledger.tamper('DELETE FROM job_events WHERE job_id = $1', [job.id]);
    expect(await firstBad()).toEqual([1, 'TAIL_MISSING']);
  });

  it('a well-made event added behind the head', async () => {
    const [forged] = sealEvents(job.head, job.id, ledger.workspaceId, sevenEvents(job.stepId).slice(0, 1)).events;
    if (forged === undefined) throw new Error('nothing was sealed');
    const insert = `INSERT INTO job_events (${INSERT_EVENTS_COLUMNS}) SELECT ${INSERT_EVENTS_SELECT} FROM jsonb_to_recordset($1::jsonb) AS ${INSERT_EVENTS_RECORD}`;
    await ledger.tamper(insert, [JSON.stringify([eventRow(forged)])]);
    expect(await firstBad()).toEqual([8, 'TAIL_EXTRA']);
  });

  it('an event inserted in the middle, the later ones renumbered', async () => {
    await ledger.tamper('UPDATE job_events SET seq = seq + 1000 WHERE job_id = $1 AND seq >= 4', [job.id]);
    await ledger.tamper('UPDATE job_events SET seq = seq - 999 WHERE job_id = $1 AND seq > 1000', [job.id]);
    await ledger.tamper(
      `INSERT INTO job_events (${INSERT_EVENTS_COLUMNS})
       SELECT gen_random_uuid(), workspace_id, job_id, step_id, 4, type, phase, actor_type, actor_id, timestamp, payload, payload_hash, repeat('d', 64), repeat('e', 64)
       FROM job_events WHERE job_id = $1 AND seq = 1`,
      [job.id],
    );
    expect(await firstBad()).toEqual([4, 'EVENT_CHANGED']);
  });

  it('two events that exchanged their numbers', async () => {
    await ledger.tamper('UPDATE job_events SET seq = 1000 WHERE job_id = $1 AND seq = 3', [job.id]);
    await ledger.tamper('UPDATE job_events SET seq = 3 WHERE job_id = $1 AND seq = 5', [job.id]);
    await ledger.tamper('UPDATE job_events SET seq = 5 WHERE job_id = $1 AND seq = 1000', [job.id]);
    expect(await firstBad()).toEqual([3, 'EVENT_CHANGED']);
  });

  it('two jobs that exchanged their third events', async () => {
    const swap = 'UPDATE job_events SET job_id = $2, step_id = $3, seq = $4 WHERE job_id = $1 AND seq = $5';
    await ledger.tamper(swap, [job.id, other.id, other.stepId, 1000, 3]);
    await ledger.tamper(swap, [other.id, job.id, job.stepId, 3, 3]);
    await ledger.tamper(swap, [other.id, other.id, other.stepId, 3, 1000]);
    expect(await firstBad()).toEqual([3, 'EVENT_CHANGED']);
    expect(await firstBad(other.id)).toEqual([3, 'EVENT_CHANGED']);
  });
});

describe('well-made forgeries', () => {
  it('an event replaced together with its hashes', async () => {
    const before = (await ledger.events.page(ledger.workspaceId, job.id, 2, 1))[0];
    if (before === undefined) throw new Error('no event 3');
    const [forged] = sealEvents(
      { seq: 2, hash: before.prevHash },
      job.id,
      ledger.workspaceId,
      sevenEvents(job.stepId).slice(6),
    ).events;
    await ledger.tamper(
      'UPDATE job_events SET payload = $2, payload_hash = $3, hash = $4, timestamp = $5 WHERE job_id = $1 AND seq = 3',
      [job.id, JSON.stringify(forged?.payload), forged?.payloadHash, forged?.hash, forged?.timestamp],
    );
    expect(await firstBad()).toEqual([4, 'CHAIN_BROKEN']);
  });

  it('a head that was changed in the job', async () => {
    await ledger.tamper(`UPDATE runner_jobs SET head_hash = repeat('f', 64) WHERE id = $1`, [job.id]);
    expect(await firstBad()).toEqual([7, 'HEAD_MISMATCH']);
  });
});

describe('erasing', () => {
  it('of a payload by the one path made for it leaves the chain valid', async () => {
    const [, second] = await ledger.events.page(ledger.workspaceId, job.id, 0, 2);
    const erased = await ledger.owner(
      async (client) => (await client.query('SELECT runledger_erase_event_payload($1) AS done', [second?.id])).rows,
    );
    expect(erased).toEqual([{ done: true }]);
    expect(await ledger.events.page(ledger.workspaceId, job.id, 1, 1)).toEqual([{ ...second, payload: null }]);
    expect(await verify()).toEqual({ valid: true, events: 7, head: job.head });
  });

  it('does not hide another payload hash', async () => {
    await ledger.tamper(
      `UPDATE job_events SET payload = NULL, payload_erased_at = now(), payload_hash = repeat('a', 64) WHERE job_id = $1 AND seq = 6`,
      [job.id],
    );
    expect(await firstBad()).toEqual([6, 'EVENT_CHANGED']);
  });
});
