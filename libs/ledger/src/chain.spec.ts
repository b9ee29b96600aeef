import { createHash } from 'node:crypto';
import type { NewEvent } from './catalogue.js';
import { GENESIS_HASH, GENESIS_HEAD, eventHash, payloadHash, sealEvents } from './chain.js';

const JOB = '01980c35-3a00-7000-8000-000000000001';
const WORKSPACE = '01980c35-3a00-7000-8000-000000000002';
const STEP = '01980c35-3a00-7000-8000-000000000003';

const queued: NewEvent = {
  type: 'job.queued',
  phase: null,
  stepId: null,
  actor: { type: 'system', id: 'admission' },
  timestamp: '2026-11-21T08:00:00.000Z',
  payload: {},
};
const completed: Extract<NewEvent, { type: 'step.completed' }> = {
  type: 'step.completed',
  phase: 'EXECUTION',
  stepId: STEP,
  actor: { type: 'worker', id: 'host-1' },
  timestamp: '2026-11-21T08:00:00.250Z',
  payload: { outputs: { z: 1, ä: '€' }, durationMs: 250, exitCode: 0, attempt: 1 },
};

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

describe('sealEvents', () => {
  it('hashes exactly the texts that the format prescribes', () => {
    const { events, head } = sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [queued, completed]);
    const [first, second] = events;
    const firstHash = sha256(
      `{"actorId":"admission","actorType":"system","jobId":"${JOB}","payloadHash":"${sha256('{}')}","phase":null,` +
        `"prevHash":"${'0'.repeat(64)}","seq":1,"stepId":null,"timestamp":"2026-11-21T08:00:00.000Z","type":"job.queued","v":1,` +
        `"workspaceId":"${WORKSPACE}"}`,
    );
    const secondPayload = sha256('{"attempt":1,"durationMs":250,"exitCode":0,"outputs":{"z":1,"ä":"€"}}');
    const secondHash = sha256(
      `{"actorId":"host-1","actorType":"worker","jobId":"${JOB}","payloadHash":"${secondPayload}","phase":"EXECUTION",` +
        `"prevHash":"${firstHash}","seq":2,"stepId":"${STEP}","timestamp":"2026-11-21T08:00:00.250Z","type":"step.completed","v":1,` +
        `"workspaceId":"${WORKSPACE}"}`,
    );
    expect(first).toMatchObject({ seq: 1, prevHash: GENESIS_HASH, payloadHash: sha256('{}'), hash: firstHash });
    expect(second).toMatchObject({ seq: 2, prevHash: firstHash, payloadHash: secondPayload, hash: secondHash });
    expect(head).toEqual({ seq: 2, hash: secondHash });
  });

  it('gives the names of the API and nothing else', () => {
    const [event] = sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [completed]).events;
    expect(event).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      v: 1,
      workspaceId: WORKSPACE,
      jobId: JOB,
      seq: 1,
      type: 'step.completed',
      phase: 'EXECUTION',
      stepId: STEP,
      actorType: 'worker',
      actorId: 'host-1',
      timestamp: '2026-11-21T08:00:00.250Z',
      payload: completed.payload,
      payloadHash: expect.any(String),
      prevHash: GENESIS_HASH,
      hash: expect.any(String),
    });
  });

  it('continues a chain as if it had been sealed at once', () => {
    const whole = sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [queued, completed, queued]);
    const start = sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [queued]);
    const rest = sealEvents(start.head, JOB, WORKSPACE, [completed, queued]);
    expect(rest.head).toEqual(whole.head);
    expect([...start.events, ...rest.events].map((event) => event.hash)).toEqual(
      whole.events.map((event) => event.hash),
    );
    expect(new Set(whole.events.map((event) => event.id)).size).toBe(3);
  });

  it('leaves the head as it is when there is nothing to seal', () => {
    const head = { seq: 4, hash: 'ab'.repeat(32) };
    expect(sealEvents(head, JOB, WORKSPACE, [])).toEqual({ events: [], head });
  });

  it.each<[string, NewEvent, RegExp]>([
    [
      'NUL in a value',
      { ...completed, payload: { ...completed.payload, outputs: { a: ['x\0y'] } } },
      /step\.completed holds a NUL/,
    ],
    ['NUL in a key', { ...completed, payload: { ...completed.payload, outputs: { 'a\0': 1 } } }, /holds a NUL/],
    [
      'a lone surrogate',
      { ...completed, payload: { ...completed.payload, outputs: { a: '\ud800' } } },
      /lone surrogate/,
    ],
    [
      'no number',
      { ...completed, payload: { ...completed.payload, durationMs: NaN, outputs: {} } },
      /NaN .* "durationMs"/,
    ],
    ['microseconds', { ...queued, timestamp: '2026-11-21T08:00:00.000000Z' }, /three decimals/],
    ['no decimals', { ...queued, timestamp: '2026-11-21T08:00:00Z' }, /three decimals/],
    ['an offset', { ...queued, timestamp: '2026-11-21T09:00:00.000+01:00' }, /three decimals/],
    ['a step id in capitals', { ...completed, stepId: STEP.replace('c', 'C') }, /stepId .* lower case/],
  ])('refuses what would not come back from the database as it was hashed: %s', (_name, event, message) => {
    expect(() => sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [queued, event])).toThrow(message);
  });

  it('refuses job and workspace ids in capitals, which the database would give back in lower case', () => {
    expect(() => sealEvents(GENESIS_HEAD, JOB.toUpperCase(), WORKSPACE, [])).toThrow(/jobId/);
    expect(() => sealEvents(GENESIS_HEAD, JOB, WORKSPACE.toUpperCase(), [])).toThrow(/workspaceId/);
  });

  it('takes a backslash followed by u0000, which is no NUL', () => {
    const event: NewEvent = { ...completed, payload: { ...completed.payload, outputs: { path: 'C:\\u0000' } } };
    expect(sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [event]).events).toHaveLength(1);
  });
});

describe('eventHash', () => {
  it('takes a stored event as it is, and covers neither its id nor, directly, its payload', () => {
    const [event] = sealEvents(GENESIS_HEAD, JOB, WORKSPACE, [completed]).events;
    if (event === undefined || event.payload === null) throw new Error('nothing was sealed');
    expect(eventHash(event)).toBe(event.hash);
    expect(eventHash({ ...event, id: STEP, payload: null } as typeof event)).toBe(event.hash);
    expect(payloadHash(event.payload)).toBe(event.payloadHash);
  });
});
