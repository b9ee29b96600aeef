import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LedgerEvent, NewEvent } from './catalogue.js';
import { GENESIS_HEAD, sealEvents } from './chain.js';
import { verifyChain } from './verify.js';

/** What a stranger has: the page about the format, and an example that imports nothing of ours. */
const docs = new URL('../../../docs/', import.meta.url);
const page = readFileSync(new URL('ledger-format.md', docs), 'utf8');
const script = fileURLToPath(new URL('examples/verify-job.mjs', docs));

interface Job {
  id: string;
  workspaceId: string;
  head: { seq: number; hash: string };
  completedAt: string | null;
}

async function strangersVerify(): Promise<(events: LedgerEvent[], job: Job) => string> {
  const example = (await import(script)) as { verify: (events: LedgerEvent[], job: Job) => string };
  return example.verify;
}

function codeBlocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, 'gms'))].map((match) => match[1] ?? '');
}

describe('the page about the format', () => {
  const events = JSON.parse(codeBlocks('json')[0] ?? '') as LedgerEvent[];
  const [first, second] = events;

  it('shows events that verify', async () => {
    if (first === undefined || second === undefined) throw new Error('the example is gone');
    const { jobId, workspaceId, hash } = second;
    const head = { seq: 2, hash };
    expect(verifyChain(events, { jobId, workspaceId, recordedHead: head })).toEqual({ valid: true, events: 2, head });
    const verify = await strangersVerify();
    expect(verify(events, { id: jobId, workspaceId, head, completedAt: null })).toBe(`valid: 2 events, head ${hash}`);
  });

  it('shows the very texts that were hashed', () => {
    const digests = codeBlocks('text').map((text) => createHash('sha256').update(text).digest('hex'));
    expect(digests).toEqual([second?.payloadHash, second?.hash]);
  });
});

describe('the example for strangers', () => {
  const id = '01980c35-3a00-7000-8000-000000000001';
  const workspaceId = '01980c35-3a00-7000-8000-000000000002';
  const place = {
    phase: null,
    stepId: null,
    actor: { type: 'worker', id: 'host-1' } as const,
    timestamp: '2026-11-21T08:00:00.000Z',
  };
  const queued: NewEvent = { ...place, type: 'job.queued', payload: {} };
  const { events, head } = sealEvents(GENESIS_HEAD, id, workspaceId, [
    queued,
    { ...place, type: 'job.started', payload: { workerId: 'ä"\\\n€😀' } },
    { ...place, type: 'job.completed', payload: { result: { 10: 1e21, 9: -0, a: [null, 0.1] } } },
  ]);
  const job: Job = { id, workspaceId, head, completedAt: place.timestamp };
  const edited = (index: number, change: Partial<LedgerEvent>): LedgerEvent[] =>
    events.map((event, at) => (at === index ? { ...event, ...change } : event));

  it('imports nothing but Node, in forty lines', () => {
    const source = readFileSync(script, 'utf8');
    const imports = [...source.matchAll(/from '(.*?)'/g)].map((match) => match[1]);
    expect(imports.every((name) => name?.startsWith('node:'))).toBe(true);
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
  });

  it('accepts what we sealed, also with an erased payload', async () => {
    const verify = await strangersVerify();
    const received = JSON.parse(JSON.stringify(events)) as LedgerEvent[];
    expect(verify(received, job)).toBe(`valid: 3 events, head ${head.hash}`);
    expect(verify(edited(1, { payload: null }), job)).toContain('valid');
  });

  it.each<[string, LedgerEvent[], RegExp]>([
    ['an edited field', edited(1, { actorId: 'nobody' }), /event 2 was changed/],
    ['an edited payload', edited(1, { payload: { workerId: 'x' } }), /payload 2 was changed/],
    ['a deleted event', events.toSpliced(1, 1), /breaks at event 2/],
    ['two exchanged events', [0, 2, 1].flatMap((index) => events[index] ?? []), /breaks at event 2/],
    ['a cut tail', events.slice(0, 2), /event 3 is missing/],
    ['another job', edited(0, { jobId: workspaceId }), /event 1 is of another job/],
    ['an added event', [...events, ...sealEvents(head, id, workspaceId, [queued]).events], /event 4 was added/],
  ])('finds %s', async (_name, tampered, message) => {
    const verify = await strangersVerify();
    expect(() => verify(tampered, job)).toThrow(message);
  });
});
