/**
 * `npm test` runs the short version of every fault, `npm run fault` (FAULT_SCALE=long) the long one: hundreds of jobs, and the faults that
 * take long by their nature.
 */
export const LONG = process.env['FAULT_SCALE'] === 'long';

export function scaled<Value>(sizes: { short: Value; long: Value }): Value {
  return LONG ? sizes.long : sizes.short;
}
