import fc from 'fast-check';
import { newId, type JsonObject } from '#kernel';
import type { NewEvent } from '#ledger';
import { openLedger, type LedgerFixture } from './ledger-fixture.js';

let ledger: LedgerFixture;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

function completed(stepId: string, outputs: JsonObject): NewEvent {
  return {
    type: 'step.completed',
    phase: 'EXECUTION',
    stepId,
    actor: { type: 'worker', id: 'host-1' },
    timestamp: new Date(Date.UTC(2026, 10, 21, 8) + Math.floor(Math.random() * 86_400_000)).toISOString(),
    payload: { attempt: 1, outputs, exitCode: null, durationMs: 1 },
  };
}

describe('a payload in the store', () => {
  it.each<[string, JsonObject]>([
    [
      'large and small numbers',
      { big: 1e21, bigger: 1.7976931348623157e308, tiny: 5e-324, negative: -2.2250738585072014e-308 },
    ],
    [
      'whole numbers in other clothes',
      { negativeZero: -0, one: 1.0, thousand: 1e3, safe: Number.MAX_SAFE_INTEGER, beyond: 2 ** 63 },
    ],
    ['numbers that look alike', { a: 0.1 + 0.2, b: 0.3, c: 1e-7, d: 0.000001, e: 9.999999999999997e22 }],
    [
      'keys that are sorted differently elsewhere',
      { b: 1, a: 2, B: 3, aa: 4, '10': 5, '9': 6, é: 7, '😀': 8, '\ufb33': 9, '': 10 },
    ],
    ['control characters and escapes', { text: '\u0001\b\t\n\f\r"\\/\u007f\u2028\u2029', '\u0001': '\\u0000' }],
    ['letters of all planes', { text: 'ä ß € 漢字 😀 𝒳 é e\u0301 \uffff \u{10ffff}' }],
    ['nesting and emptiness', { a: {}, b: [], c: [[], [{}], null, true, false, ''] }],
    [
      'names that objects have',
      JSON.parse('{"__proto__": {"a": 1}, "constructor": 1, "toString": null}') as JsonObject,
    ],
    ['a long text', { text: 'x'.repeat(1_000_000) }],
  ])('keeps %s', async (_name, outputs) => {
    const job = await ledger.job((stepId) => [completed(stepId, outputs)]);
    expect(await ledger.events.verifyJob(ledger.workspaceId, job.id)).toEqual({
      valid: true,
      events: 1,
      head: job.head,
    });
  });

  it('comes back with its hash, whatever it is', async () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
    const { json } = fc.letrec<{ json: JsonObject[string] }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, true, false),
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
        fc.array(tie('json'), { maxLength: 4 }),
        fc.dictionary(text, tie('json'), { maxKeys: 5 }),
      ),
    }));
    const outputs = fc.dictionary(text, json, { maxKeys: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(outputs, { minLength: 1, maxLength: 20 }), async (all) => {
        const job = await ledger.job((stepId) => all.map((one) => completed(stepId, one)));
        expect(await ledger.events.verifyJob(ledger.workspaceId, job.id)).toEqual({
          valid: true,
          events: all.length,
          head: job.head,
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe('EventQueries', () => {
  it('gives every field exactly as it was sealed', async () => {
    const events: NewEvent[] = [
      {
        type: 'job.queued',
        phase: null,
        stepId: null,
        actor: { type: 'system', id: 'admission' },
        timestamp: '2026-11-21T08:00:00.000Z',
        payload: {},
      },
      {
        type: 'job.started',
        phase: null,
        stepId: null,
        actor: { type: 'worker', id: 'ä' },
        timestamp: '2026-02-28T23:59:59.999Z',
        payload: { workerId: 'ä' },
      },
    ];
    const job = await ledger.job(() => events);
    const stored = await ledger.events.page(ledger.workspaceId, job.id, 0, 10);
    expect(stored.map(({ type, phase, stepId, actorType, actorId, timestamp, payload }) => ({ type, phase, stepId, actor: { type: actorType, id: actorId }, timestamp, payload }))).toEqual(events); // prettier-ignore
    expect(stored.map((event) => [event.v, event.seq, event.jobId, event.workspaceId])).toEqual([1, 2].map((seq) => [1, seq, job.id, ledger.workspaceId])); // prettier-ignore
  });

  it('pages in the order of seq', async () => {
    const job = await ledger.job((stepId) => Array.from({ length: 12 }, (_, n) => completed(stepId, { n })));
    const seqs = async (after: number, limit: number): Promise<number[]> =>
      (await ledger.events.page(ledger.workspaceId, job.id, after, limit)).map((event) => event.seq);
    expect(await seqs(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(await seqs(5, 5)).toEqual([6, 7, 8, 9, 10]);
    expect(await seqs(10, 5)).toEqual([11, 12]);
    expect(await seqs(12, 5)).toEqual([]);
  });

  it('has nothing for another workspace, nor for a job that does not exist', async () => {
    const job = await ledger.job((stepId) => [completed(stepId, {})]);
    expect(await ledger.events.page(newId(), job.id, 0, 10)).toEqual([]);
    expect(await ledger.events.verifyJob(newId(), job.id)).toBeNull();
    expect(await ledger.events.verifyJob(ledger.workspaceId, newId())).toBeNull();
  });

  it('takes ids in capitals', async () => {
    const job = await ledger.job((stepId) => [completed(stepId, {})]);
    expect(await ledger.events.verifyJob(ledger.workspaceId.toUpperCase(), job.id.toUpperCase())).toMatchObject({
      valid: true,
      events: 1,
    });
  });

  it('verifies a ledger of several pages, and shows each event once and in order', async () => {
    const job = await ledger.job((stepId) => Array.from({ length: 1_203 }, (_, n) => completed(stepId, { n })));
    const seen: number[] = [];
    const verdict = await ledger.events.verifyJob(ledger.workspaceId, job.id, (event) => seen.push(event.seq));
    expect(verdict).toEqual({ valid: true, events: 1_203, head: job.head });
    expect(seen).toEqual(Array.from({ length: 1_203 }, (_, n) => n + 1));
  });

  it('finds an edit on a later page, and shows only what holds', async () => {
    const job = await ledger.job((stepId) => Array.from({ length: 1_100 }, (_, n) => completed(stepId, { n })));
    await ledger.tamper(`UPDATE job_events SET actor_id = 'nobody' WHERE job_id = $1 AND seq = 1001`, [job.id]);
    let seen = 0;
    const verdict = await ledger.events.verifyJob(ledger.workspaceId, job.id, () => (seen += 1));
    expect(verdict).toMatchObject({ valid: false, events: 1_000, firstBad: { seq: 1_001, reason: 'EVENT_CHANGED' } });
    expect(seen).toBe(1_000);
  });

  it('never calls a job bad because it goes on while it is being verified', async () => {
    let job = await ledger.job((stepId) => [completed(stepId, {})]);
    let appending = true;
    const verdicts: boolean[] = [];
    const verifying = Promise.all(
      [1, 2].map(async () => {
        while (appending) verdicts.push((await ledger.events.verifyJob(ledger.workspaceId, job.id))?.valid ?? false);
      }),
    );
    for (let n = 0; n < 150; n += 1)
      job = await ledger.append(job, [completed(job.stepId, { n }), completed(job.stepId, { n })]);
    appending = false;
    await verifying;
    expect(verdicts.length).toBeGreaterThan(2);
    expect(verdicts).not.toContain(false);
    expect(await ledger.events.verifyJob(ledger.workspaceId, job.id)).toEqual({
      valid: true,
      events: 301,
      head: job.head,
    });
  });
});
