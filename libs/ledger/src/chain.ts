import { AppError, canonicalJson, newId, sha256Hex } from '#kernel';
import type { Json, JsonObject } from '#kernel';
import type { ChainHead, LedgerEvent, NewEvent } from './catalogue.js';

/**
 * The hash chain of one job. Every event carries three hashes, each SHA-256 in lower-case hexadecimal:
 *
 * - `payloadHash`, of the canonical JSON (RFC 8785) of `payload`;
 * - `prevHash`, the `hash` of the event before it; 64 zeros in the first event;
 * - `hash`, of the canonical JSON of exactly these twelve names, absent values null:
 *   `{v, workspaceId, jobId, seq, type, phase, stepId, actorType, actorId, timestamp, payloadHash, prevHash}`.
 *
 * So a stranger checks a job with the API's answers and no code of ours:
 *
 * ```js
 * import { createHash } from 'node:crypto';
 * const sha256 = (text) => createHash('sha256').update(text).digest('hex');
 * const canonical = (x) =>
 *   x === null || typeof x !== 'object' ? JSON.stringify(x)
 *   : Array.isArray(x) ? `[${x.map(canonical)}]`
 *   : `{${Object.keys(x).sort().map((key) => `${JSON.stringify(key)}:${canonical(x[key])}`)}}`;
 * let head = { seq: 0, hash: '0'.repeat(64) };
 * for (const event of events) {
 *   const { id, payload, hash, ...hashed } = event;
 *   if (event.seq !== head.seq + 1 || event.prevHash !== head.hash) throw new Error(`the chain breaks at ${head.seq + 1}`);
 *   if (sha256(canonical(hashed)) !== hash) throw new Error(`event ${event.seq} was changed`);
 *   if (payload !== null && sha256(canonical(payload)) !== event.payloadHash) throw new Error(`payload ${event.seq} was changed`);
 *   head = { seq: event.seq, hash };
 * }
 * // Equal to the job's `head` in the API's answer, or to one that was noted earlier: nothing was cut off the end.
 * ```
 *
 * Only the payload's hash is in the chain: a payload that had to be erased is null, and the chain still verifies.
 */
export const GENESIS_HASH = '0'.repeat(64);

/** The head of a job that has no events yet. */
export const GENESIS_HEAD: ChainHead = { seq: 0, hash: GENESIS_HASH };

/** What the hash of an event covers. `id` is a handle and no part of it; the payload is covered by its own hash. */
export type HashedFields = Omit<LedgerEvent, 'id' | 'payload' | 'hash'>;

export function payloadHash(payload: JsonObject): string {
  return sha256Hex(canonicalJson(payload));
}

export function eventHash(fields: HashedFields): string {
  const { v, workspaceId, jobId, seq, type, phase, stepId, actorType, actorId, timestamp, payloadHash, prevHash } =
    fields;
  return sha256Hex(
    canonicalJson({
      v,
      workspaceId,
      jobId,
      seq,
      type,
      phase,
      stepId,
      actorType,
      actorId,
      timestamp,
      payloadHash,
      prevHash,
    }),
  );
}

/**
 * Numbers and hashes new events of one job, ready to be stored in this order behind `head`. Pure but for the new ids.
 * @returns the sealed events and the head that the job has once they are stored
 * @throws AppError VALIDATION_FAILED when an event could not come back from the database exactly as it was hashed: a payload that is not
 *   JSON or holds a NUL character, a timestamp that is not UTC with three decimals, an id that is not a lower-case UUID
 */
export function sealEvents(
  head: ChainHead,
  jobId: string,
  workspaceId: string,
  events: readonly NewEvent[],
): { events: LedgerEvent[]; head: ChainHead } {
  requireId(jobId, 'jobId');
  requireId(workspaceId, 'workspaceId');
  let last = head;
  const sealed = events.map((event) => {
    const next = sealEvent(last, jobId, workspaceId, event);
    last = { seq: next.seq, hash: next.hash };
    return next;
  });
  return { events: sealed, head: last };
}

function sealEvent(head: ChainHead, jobId: string, workspaceId: string, event: NewEvent): LedgerEvent {
  if (event.stepId !== null) requireId(event.stepId, 'stepId');
  requireTimestamp(event.timestamp);
  // The interfaces of the catalogue are plain JSON; canonicalJson refuses at run time whatever is not.
  const payload = event.payload as { [key: string]: Json };
  const payloadText = canonicalJson(payload);
  if (payloadText.includes('\\u0000')) requireNoNul(payload, event.type);
  const hashed: HashedFields = {
    v: 1,
    workspaceId,
    jobId,
    seq: head.seq + 1,
    type: event.type,
    phase: event.phase,
    stepId: event.stepId,
    actorType: event.actor.type,
    actorId: event.actor.id,
    timestamp: event.timestamp,
    payloadHash: sha256Hex(payloadText),
    prevHash: head.hash,
  };
  return { id: newId(), ...hashed, payload, hash: eventHash(hashed) };
}

/** PostgreSQL's text and jsonb cannot hold U+0000; one such event would make a whole batch fail. */
function requireNoNul(value: Json, type: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0'))
      throw unstorable(`the payload of ${type} holds a NUL character, which PostgreSQL cannot store`);
  } else if (Array.isArray(value)) {
    for (const item of value) requireNoNul(item, type);
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) {
      requireNoNul(key, type);
      requireNoNul(item, type);
    }
  }
}

/** The form in which PostgreSQL gives back any UUID. */
const STORED_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function requireId(id: string, name: string): void {
  if (!STORED_ID.test(id)) throw unstorable(`${name} ${JSON.stringify(id)} is not a UUID in lower case`);
}

const STORED_TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function requireTimestamp(timestamp: string): void {
  if (!STORED_TIMESTAMP.test(timestamp)) {
    throw unstorable(`timestamp ${JSON.stringify(timestamp)} is not RFC 3339 in UTC with three decimals and Z`);
  }
}

function unstorable(message: string): AppError {
  return new AppError('VALIDATION_FAILED', message);
}
