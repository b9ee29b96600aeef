import { randomFillSync } from 'node:crypto';
import { v7, validate } from 'uuid';

const RANDOM_BYTES = 16;
/** Ids come by the dozen with every job: one call for the randomness of 256 of them costs hardly more than a call for one. */
const pool = Buffer.alloc(RANDOM_BYTES * 256);
let next = pool.length;

let lastMs = 0;
let sequence = 0;

/**
 * A new UUID v7 (RFC 9562): its first 48 bits are the time in milliseconds, the next 32 count within the millisecond from a random start, so
 * the ids of one process sort exactly as they were made, also when the clock is set back.
 */
export function newId(): string {
  const random = nextRandom();
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    // Far from the end of the 32 bits: no millisecond is long enough to get there.
    sequence = random.readUInt32BE(0) >>> 1;
  } else {
    sequence += 1;
  }
  return v7({ msecs: lastMs, seq: sequence, random });
}

function nextRandom(): Buffer {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  return pool.subarray(next, (next += RANDOM_BYTES));
}

/** True for any textual UUID, the form in which all ids travel. */
export function isId(text: string): boolean {
  return validate(text);
}
