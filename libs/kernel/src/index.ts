export { AppError, ERROR_CODES, assertNever, messageOf } from './errors.js';
export type { AppErrorOptions, ErrorCode, FieldError } from './errors.js';
export { newId, isId } from './ids.js';
export { systemClock } from './clock.js';
export type { Clock } from './clock.js';
export { Batcher } from './batcher.js';
export type { Json, JsonObject } from './json.js';
export { canonicalJson } from './canonical-json.js';
export { sha256Hex } from './hash.js';
