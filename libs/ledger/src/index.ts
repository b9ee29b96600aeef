export type * from './catalogue.js';
export { GENESIS_HASH, GENESIS_HEAD, eventHash, payloadHash, sealEvents } from './chain.js';
export type { HashedFields } from './chain.js';
export { ChainVerifier, verifyChain } from './verify.js';
export type { BadEvent, BadEventReason, ChainVerdict, VerifyOptions } from './verify.js';
export {
  INSERT_EVENTS_COLUMNS,
  INSERT_EVENTS_RECORD,
  INSERT_EVENTS_SELECT,
  eventRow,
  toLedgerEvent,
} from './event.rows.js';
export type { EventRecord, EventRow } from './event.rows.js';
export { EventQueries, eventsStatement } from './event.queries.js';
