/** The only source of the present for code whose results depend on it, so that a test can hold time still. */
export interface Clock {
  /** Now, as RFC 3339 in UTC with three decimals: the form that the API returns and the ledger hashes. */
  now(): string;
}

export const systemClock: Clock = { now: () => new Date().toISOString() };
