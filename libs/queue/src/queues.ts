import { AppError } from '#kernel';

/**
 * The queue catalogue: every queue of the product and what a message on it carries. Payloads hold ids only: PostgreSQL is the
 * truth and a message is a wake-up, so losing one, or getting one twice, must never matter.
 */
export interface QueuePayloads {
  /** One runner job that is ready to be claimed. */
  runner: { jobId: string; workspaceId: string };
}

export type QueueName = keyof QueuePayloads;

/** Every name of the catalogue. The record makes the compiler refuse a queue that is missing here. */
const NAMES: Record<QueueName, true> = { runner: true };

export const QUEUE_NAMES = Object.keys(NAMES).filter(isQueueName);

/** True for the name of a queue in the catalogue; for names that come from a flag or a file. */
export function isQueueName(name: string): name is QueueName {
  return Object.hasOwn(NAMES, name);
}

/** Where a message stands: `finished` covers success and failure, `missing` is what was removed, lost or never offered. */
export type OfferState = 'waiting' | 'active' | 'finished' | 'missing';

/** One message to put on a queue. */
export interface Offer<Name extends QueueName> {
  /** The message's own id. Offering an id that is still on the queue changes nothing. May not contain `:`. */
  id: string;
  payload: QueuePayloads[Name];
  /** 0 is taken first; at most two million. */
  priority: number;
}

/**
 * Reads the queue names of a command line: `runner,scan`.
 * @throws AppError CONFIG_INVALID for a name that is not in the catalogue, and for none at all
 */
export function parseQueueNames(text: string): QueueName[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  const unknown = names.filter((name) => !isQueueName(name));
  if (unknown.length > 0 || names.length === 0) {
    const problem = names.length === 0 ? 'no queue is named' : `unknown queue: ${unknown.join(', ')}`;
    throw new AppError('CONFIG_INVALID', `${problem}; the queues are: ${QUEUE_NAMES.join(', ')}`);
  }
  return names.filter(isQueueName);
}
