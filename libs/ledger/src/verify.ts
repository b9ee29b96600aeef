import { AppError } from '#kernel';
import { GENESIS_HEAD, eventHash, payloadHash } from './chain.js';
import type { ChainHead, LedgerEvent } from './catalogue.js';

/** Why an event, or the place where one should be, does not fit. */
export type BadEventReason =
  /** The payload is not the one that was hashed. */
  | 'PAYLOAD_CHANGED'
  /** A hashed field, or a hash, is not what it was when the event was sealed. */
  | 'EVENT_CHANGED'
  /** A later event stands where this one should. */
  | 'EVENT_MISSING'
  /** A number appears again after its place: events were inserted or put in another order. */
  | 'SEQUENCE_BROKEN'
  /** The event is whole, but was sealed onto another predecessor than the one before it now: that one, or this one, was replaced. */
  | 'CHAIN_BROKEN'
  /** The event names another job or workspace. */
  | 'FOREIGN_JOB'
  /** The recorded head knows of later events. */
  | 'TAIL_MISSING'
  /** The recorded head does not know of this event. */
  | 'TAIL_EXTRA'
  /** The last event is not the one that the recorded head names. */
  | 'HEAD_MISMATCH';

/** The first place at which a chain does not hold. */
export interface BadEvent {
  seq: number;
  reason: BadEventReason;
  message: string;
}

/** `events` were checked and hold, up to `head`; `firstBad` is the next, if one does not. */
export type ChainVerdict =
  | { valid: true; events: number; head: ChainHead }
  | { valid: false; events: number; head: ChainHead; firstBad: BadEvent };

/** Which chain is expected. Without `recordedHead`, events cut off the end go unnoticed: the rest is a valid chain. */
export interface VerifyOptions {
  jobId: string;
  workspaceId: string;
  recordedHead?: ChainHead;
}

/** Checks a whole chain, given in the order of `seq`; stops reading at the first event that does not fit. */
export function verifyChain(events: Iterable<LedgerEvent>, options: VerifyOptions): ChainVerdict {
  const verifier = new ChainVerifier(options.jobId, options.workspaceId);
  for (const event of events) {
    if (verifier.push(event) !== null) break;
  }
  return verifier.finish(options.recordedHead);
}

/**
 * Checks a chain event by event, in constant memory, so that a long job can be read page by page. Push the events in the order of
 * their `seq`, then call `finish`. After the first bad event the verdict stands and further events are not looked at.
 */
export class ChainVerifier {
  /** The last event that holds. */
  private last: ChainHead = GENESIS_HEAD;
  private bad: BadEvent | null = null;

  constructor(
    private readonly jobId: string,
    private readonly workspaceId: string,
  ) {}

  /** The last event that holds; seq 0 before the first. */
  get head(): ChainHead {
    return this.last;
  }

  /** @returns what is wrong, or null as long as everything fits */
  push(event: LedgerEvent): BadEvent | null {
    this.bad ??= this.examine(event);
    if (this.bad === null) this.last = { seq: event.seq, hash: event.hash };
    return this.bad;
  }

  /** @param recordedHead the end of the chain as somebody else knows it: the job's row, or a note taken earlier */
  finish(recordedHead?: ChainHead): ChainVerdict {
    const events = this.last.seq;
    const firstBad = this.bad ?? (recordedHead === undefined ? null : this.compare(recordedHead));
    return firstBad === null
      ? { valid: true, events, head: this.last }
      : { valid: false, events, head: this.last, firstBad };
  }

  /**
   * The event's own hash comes before its place in the chain: an edited `seq` or `prevHash` then shows as the edit that it is, and what
   * is left for the place are events that are whole but somewhere else.
   */
  private examine(event: LedgerEvent): BadEvent | null {
    const expected = this.last.seq + 1;
    if (event.jobId !== this.jobId || event.workspaceId !== this.workspaceId) {
      return bad(
        expected,
        'FOREIGN_JOB',
        `event ${expected} belongs to job ${JSON.stringify(event.jobId)} of workspace ${JSON.stringify(event.workspaceId)}`,
      );
    }
    if (event.v !== 1 || !gives(event.hash, () => eventHash(event))) {
      return bad(
        expected,
        'EVENT_CHANGED',
        `the fields of event ${expected} do not give its hash: they, or the hash, were changed`,
      );
    }
    if (event.seq > expected) {
      return bad(expected, 'EVENT_MISSING', `event ${expected} is missing: event ${event.seq} stands in its place`);
    }
    if (event.seq < expected) {
      return bad(event.seq, 'SEQUENCE_BROKEN', `number ${event.seq} appears again, where event ${expected} should be`);
    }
    if (event.prevHash !== this.last.hash) {
      return bad(expected, 'CHAIN_BROKEN', this.brokenLink(expected));
    }
    const { payload } = event;
    if (payload !== null && !gives(event.payloadHash, () => payloadHash(payload))) {
      return bad(
        expected,
        'PAYLOAD_CHANGED',
        `the payload of event ${expected} does not give its payloadHash: it was changed`,
      );
    }
    return null;
  }

  private brokenLink(seq: number): string {
    return seq === 1
      ? 'event 1 names a predecessor; the first event of a job has none'
      : `event ${seq} was not sealed onto event ${seq - 1} as it is now: one of the two was replaced`;
  }

  private compare(recorded: ChainHead): BadEvent | null {
    const { seq, hash } = this.last;
    if (recorded.seq > seq) {
      return bad(seq + 1, 'TAIL_MISSING', `event ${seq + 1} is missing: the recorded head is event ${recorded.seq}`);
    }
    if (recorded.seq < seq) {
      return bad(
        recorded.seq + 1,
        'TAIL_EXTRA',
        `event ${recorded.seq + 1} is not known to the recorded head, which is event ${recorded.seq}`,
      );
    }
    if (recorded.hash !== hash) {
      return bad(
        seq,
        'HEAD_MISMATCH',
        `event ${seq} is not the one that the recorded head names: the end of the chain was replaced`,
      );
    }
    return null;
  }
}

/** Whether the hash comes out as expected. What has no canonical JSON (a number that no double holds, say) was never hashed by us. */
function gives(expected: string, compute: () => string): boolean {
  try {
    return compute() === expected;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

function bad(seq: number, reason: BadEventReason, message: string): BadEvent {
  return { seq, reason, message };
}
