import fc from 'fast-check';
import type { LedgerEvent, NewEvent } from './catalogue.js';
import { GENESIS_HEAD, eventHash, payloadHash, sealEvents } from './chain.js';
import { ChainVerifier, verifyChain, type ChainVerdict } from './verify.js';

const WORKSPACE = '01980c35-3a00-7000-8000-000000000001';
const JOB = '01980c35-3a00-7000-8000-000000000002';
const OTHER_JOB = '01980c35-3a00-7000-8000-000000000003';
const STEP = '01980c35-3a00-7000-8000-000000000004';

/** The n-th of a row of events of different types, no two alike. */
function sample(n: number): NewEvent {
  const timestamp = new Date(Date.UTC(2026, 10, 21, 8, 0, 0, n)).toISOString();
  const worker = { type: 'worker', id: 'host-1' } as const;
  if (n % 3 === 0)
    return {
      type: 'job.queued',
      phase: null,
      stepId: null,
      actor: { type: 'system', id: 'admission' },
      timestamp,
      payload: {},
    };
  if (n % 3 === 1) {
    return {
      type: 'phase.skipped',
      phase: 'SETUP',
      stepId: null,
      actor: worker,
      timestamp,
      payload: { reason: 'EMPTY' },
    };
  }
  const payload = { attempt: n, outputs: { n, text: 'ä', list: [1, null] }, exitCode: null, durationMs: n };
  return { type: 'step.completed', phase: 'EXECUTION', stepId: STEP, actor: worker, timestamp, payload };
}

function chainOf(length: number, jobId = JOB): LedgerEvent[] {
  return sealEvents(
    GENESIS_HEAD,
    jobId,
    WORKSPACE,
    Array.from({ length }, (_, n) => sample(n)),
  ).events;
}

function at(events: LedgerEvent[], index: number): LedgerEvent {
  const event = events.at(index);
  if (event === undefined) throw new Error(`no event at ${index}`);
  return event;
}

function headOf(events: LedgerEvent[]): { seq: number; hash: string } {
  const last = events.at(-1);
  return last === undefined ? GENESIS_HEAD : { seq: last.seq, hash: last.hash };
}

/** With hashes that fit its fields: what a forger who knows the format writes. */
function rehashed(event: LedgerEvent): LedgerEvent {
  const forged = event.payload === null ? event : { ...event, payloadHash: payloadHash(event.payload) };
  return { ...forged, hash: eventHash(forged) };
}

const intact = chainOf(7);

function verify(events: Iterable<LedgerEvent>): ChainVerdict {
  return verifyChain(events, { jobId: JOB, workspaceId: WORKSPACE, recordedHead: headOf(intact) });
}

function firstBad(verdict: ChainVerdict): [number, string] | null {
  return verdict.valid ? null : [verdict.firstBad.seq, verdict.firstBad.reason];
}

describe('verifyChain: what holds', () => {
  it('accepts a chain as it was sealed', () => {
    expect(verify(intact)).toEqual({ valid: true, events: 7, head: headOf(intact) });
  });

  it('accepts a job without events, against a head that knows of none', () => {
    expect(verifyChain([], { jobId: JOB, workspaceId: WORKSPACE, recordedHead: GENESIS_HEAD })).toEqual({
      valid: true,
      events: 0,
      head: GENESIS_HEAD,
    });
  });

  it('accepts events whose payload was erased', () => {
    expect(verify(intact.map((event) => ({ ...event, payload: null })))).toMatchObject({ valid: true, events: 7 });
  });

  it('does not look at ids, which are handles and no part of the proof', () => {
    expect(verify(intact.map((event) => ({ ...event, id: STEP }))).valid).toBe(true);
  });

  it('survives a trip through JSON text', () => {
    expect(verify(JSON.parse(JSON.stringify(intact)) as LedgerEvent[]).valid).toBe(true);
  });
});

describe('verifyChain: one edited field', () => {
  const forgeries: { [Field in Exclude<keyof LedgerEvent, 'id'>]: unknown[] } = {
    v: [2, '1', null],
    workspaceId: [STEP, WORKSPACE.toUpperCase()],
    jobId: [OTHER_JOB, ''],
    seq: [0, 1, 4, 6, 99, 5.5, NaN, '5'],
    type: ['job.failed', ''],
    phase: ['SETUP', 'execution', null],
    stepId: [WORKSPACE, null],
    actorType: ['user'],
    actorId: ['host-2', ''],
    timestamp: ['2026-11-21T08:00:00.005Z', '2026-11-21T08:00:00.004000Z'],
    payload: [{}, [], 'text', undefined, { attempt: 4, outputs: { n: 4 }, durationMs: 4 }],
    payloadHash: ['0'.repeat(64), ''],
    prevHash: ['0'.repeat(64), '\ud800'],
    hash: ['0'.repeat(64), ''],
  };
  const reasons: Partial<Record<string, string>> = {
    jobId: 'FOREIGN_JOB',
    workspaceId: 'FOREIGN_JOB',
    payload: 'PAYLOAD_CHANGED',
  };

  it('is tested for every field but the id', () => {
    expect(Object.keys(forgeries).sort()).toEqual(
      Object.keys(at(intact, 0))
        .filter((field) => field !== 'id')
        .sort(),
    );
  });

  it.each(Object.entries(forgeries).flatMap(([field, values]) => values.map((value) => ({ field, value }))))(
    'finds $field changed to $value',
    ({ field, value }) => {
      const original = at(intact, 5);
      const forged = { ...original, [field]: value };
      if (Object.is(forged[field as keyof LedgerEvent], original[field as keyof LedgerEvent])) return;
      expect(firstBad(verify(intact.with(5, forged)))).toEqual([6, reasons[field] ?? 'EVENT_CHANGED']);
    },
  );

  it('finds a wrong payloadHash under an erased payload', () => {
    const forged = { ...at(intact, 2), payload: null, payloadHash: payloadHash({ innocent: true }) };
    expect(firstBad(verify(intact.with(2, forged)))).toEqual([3, 'EVENT_CHANGED']);
  });

  it('finds a payload with a number that no double holds', () => {
    const forged = { ...at(intact, 2), payload: JSON.parse('{"durationMs":1e999}') as { [key: string]: number } };
    expect(firstBad(verify(intact.with(2, forged)))).toEqual([3, 'PAYLOAD_CHANGED']);
  });

  it('finds an edit whose hashes were made to fit, where the next event was sealed onto the original', () => {
    const forged = rehashed({ ...at(intact, 2), payload: { attempt: 1, outputs: {}, durationMs: 1 } });
    expect(firstBad(verify(intact.with(2, forged)))).toEqual([4, 'CHAIN_BROKEN']);
  });

  it('finds the same in the last event by the recorded head', () => {
    expect(firstBad(verify(intact.with(6, rehashed({ ...at(intact, 6), actorId: 'nobody' }))))).toEqual([
      7,
      'HEAD_MISMATCH',
    ]);
  });

  it('finds a predecessor named by the first event', () => {
    const forged = rehashed({ ...at(intact, 0), prevHash: 'ab'.repeat(32) });
    expect(verify(intact.with(0, forged))).toMatchObject({
      events: 0,
      head: GENESIS_HEAD,
      firstBad: {
        seq: 1,
        reason: 'CHAIN_BROKEN',
        message: 'event 1 names a predecessor; the first event of a job has none',
      },
    });
  });
});

describe('verifyChain: other sets of events', () => {
  const other = chainOf(9, OTHER_JOB);

  it.each([
    [0, 'EVENT_MISSING'],
    [3, 'EVENT_MISSING'],
    [6, 'TAIL_MISSING'],
  ])('finds the event at index %i deleted', (index, reason) => {
    expect(firstBad(verify(intact.toSpliced(index, 1)))).toEqual([index + 1, reason]);
  });

  it('finds all events deleted', () => {
    expect(firstBad(verify([]))).toEqual([1, 'TAIL_MISSING']);
  });

  it('names the first missing event of a tail that was cut off, and what held before it', () => {
    expect(verify(intact.slice(0, 4))).toMatchObject({
      events: 4,
      head: headOf(intact.slice(0, 4)),
      firstBad: { seq: 5, reason: 'TAIL_MISSING', message: 'event 5 is missing: the recorded head is event 7' },
    });
  });

  it('cannot know of a tail that was cut off without a recorded head', () => {
    expect(verifyChain(intact.slice(0, 4), { jobId: JOB, workspaceId: WORKSPACE })).toMatchObject({
      valid: true,
      events: 4,
    });
  });

  it('finds an event added behind the recorded head', () => {
    const added = sealEvents(headOf(intact), JOB, WORKSPACE, [sample(1)]).events;
    expect(firstBad(verify([...intact, ...added]))).toEqual([8, 'TAIL_EXTRA']);
  });

  it('finds the whole end sealed anew, by the recorded head', () => {
    const start = intact.slice(0, 4);
    const rest = sealEvents(headOf(start), JOB, WORKSPACE, [sample(9), sample(8), sample(7)]).events;
    expect(firstBad(verify([...start, ...rest]))).toEqual([7, 'HEAD_MISMATCH']);
  });

  it('finds a forged event put in between, whole in itself', () => {
    const forged = sealEvents(headOf(intact.slice(0, 3)), JOB, WORKSPACE, [sample(1)]).events;
    expect(firstBad(verify(intact.toSpliced(3, 0, ...forged)))).toEqual([4, 'SEQUENCE_BROKEN']);
  });

  it('finds two neighbours exchanged', () => {
    expect(firstBad(verify(intact.with(3, at(intact, 4)).with(4, at(intact, 3))))).toEqual([4, 'EVENT_MISSING']);
  });

  it('finds two neighbours that also exchanged their numbers', () => {
    const [a, b] = [at(intact, 3), at(intact, 4)];
    expect(firstBad(verify(intact.with(3, { ...b, seq: a.seq }).with(4, { ...a, seq: b.seq })))).toEqual([
      4,
      'EVENT_CHANGED',
    ]);
  });

  it.each<[string, (event: LedgerEvent) => LedgerEvent, string]>([
    ['as it is', (event) => event, 'FOREIGN_JOB'],
    ['under this job', (event) => ({ ...event, jobId: JOB }), 'EVENT_CHANGED'],
    ['under this job with a fitting hash', (event) => rehashed({ ...event, jobId: JOB }), 'CHAIN_BROKEN'],
  ])('finds an event of another job put in place of one of ours: %s', (_name, disguise, reason) => {
    expect(firstBad(verify(intact.with(4, disguise(at(other, 4)))))).toEqual([5, reason]);
  });

  it('finds the chain of another job in place of the whole', () => {
    expect(firstBad(verify(other))).toEqual([1, 'FOREIGN_JOB']);
  });
});

describe('ChainVerifier', () => {
  it('reports the bad event at once and keeps to it', () => {
    const verifier = new ChainVerifier(JOB, WORKSPACE);
    expect(verifier.push(at(intact, 0))).toBeNull();
    const bad = verifier.push({ ...at(intact, 1), actorId: 'nobody' });
    expect(bad).toMatchObject({ seq: 2, reason: 'EVENT_CHANGED' });
    expect(verifier.push(at(intact, 1))).toBe(bad);
    expect(verifier.head).toEqual(headOf(intact.slice(0, 1)));
    expect(verifier.finish(headOf(intact))).toEqual({
      valid: false,
      events: 1,
      head: headOf(intact.slice(0, 1)),
      firstBad: bad,
    });
  });

  it('reads no further than the first bad event', () => {
    let read = 0;
    function* reading(): Generator<LedgerEvent> {
      for (const event of intact.with(1, at(intact, 2))) {
        read += 1;
        yield event;
      }
    }
    expect(firstBad(verify(reading()))).toEqual([2, 'EVENT_MISSING']);
    expect(read).toBe(2);
  });
});

describe('verifyChain: properties', () => {
  const payloads = fc
    .dictionary(fc.string(), fc.jsonValue({ stringUnit: 'binary' }))
    .filter((payload) => !JSON.stringify(payload).includes('\\u0000'));
  const chains = fc.array(payloads, { minLength: 1, maxLength: 12 }).map((list) => {
    const events = list.map((payload, n) => ({ ...sample(n), payload }) as NewEvent);
    return sealEvents(GENESIS_HEAD, JOB, WORKSPACE, events).events;
  });
  const chainsWithIndex = chains.chain((events) => fc.tuple(fc.constant(events), fc.nat({ max: events.length - 1 })));

  function verdictOn(events: LedgerEvent[], original: LedgerEvent[]): [number, string] | null {
    return firstBad(verifyChain(events, { jobId: JOB, workspaceId: WORKSPACE, recordedHead: headOf(original) }));
  }

  it('accepts every chain, with any payloads erased', () => {
    fc.assert(
      fc.property(chains, fc.infiniteStream(fc.boolean()), (events, erase) => {
        expect(
          verdictOn(
            events.map((event) => (erase.next().value ? { ...event, payload: null } : event)),
            events,
          ),
        ).toBeNull();
      }),
    );
  });

  it('names the place of any edited field', () => {
    const fields = Object.keys(at(intact, 0)).filter((field) => field !== 'id');
    fc.assert(
      fc.property(chainsWithIndex, fc.constantFrom(...fields), fc.jsonValue(), ([events, index], field, value) => {
        const original = at(events, index);
        const edited = { ...original, [field]: value } as LedgerEvent;
        const same = JSON.stringify(edited) === JSON.stringify(original);
        fc.pre(
          !same &&
            !(field === 'payload' && (value === null || payloadHash(edited.payload ?? {}) === original.payloadHash)),
        );
        expect(verdictOn(events.with(index, edited), events)?.[0]).toBe(index + 1);
      }),
      { numRuns: 500 },
    );
  });

  it('names the first missing number of any deletion', () => {
    fc.assert(
      fc.property(chainsWithIndex, fc.integer({ min: 1, max: 4 }), ([events, index], count) => {
        const end = index + count >= events.length;
        expect(verdictOn(events.toSpliced(index, count), events)).toEqual([
          index + 1,
          end ? 'TAIL_MISSING' : 'EVENT_MISSING',
        ]);
      }),
    );
  });

  it('names the first misplaced number of any other order', () => {
    const shuffled = chains.chain((events) =>
      fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
    );
    fc.assert(
      fc.property(shuffled, ([events, others]) => {
        const moved = events.findIndex((event, index) => event !== others[index]);
        expect(verdictOn(others, events)).toEqual(moved === -1 ? null : [moved + 1, 'EVENT_MISSING']);
      }),
    );
  });

  it('names the number that appears twice when an event is copied behind itself, and the missing one before', () => {
    fc.assert(
      fc.property(chainsWithIndex, fc.nat({ max: 12 }), ([events, index], to) => {
        const place = Math.min(to, events.length);
        const copied = events.toSpliced(place, 0, at(events, index));
        expect(verdictOn(copied, events)).toEqual(
          place > index ? [index + 1, 'SEQUENCE_BROKEN'] : copyBefore(index, place),
        );
      }),
    );
  });

  /** Put directly before itself the copy is the event, and the event the copy. */
  function copyBefore(index: number, place: number): [number, string] {
    return place === index ? [index + 1, 'SEQUENCE_BROKEN'] : [place + 1, 'EVENT_MISSING'];
  }
});
