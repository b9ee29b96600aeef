/** What workers listen on to hear that there is something to admit or to look at: no payload. */
export const SUBMITTED_CHANNEL = 'runledger_submitted';

/** What workers listen on to hear of a job that only their host can go on with: its id, a space, and the name of the host. */
export const ELSEWHERE_CHANNEL = 'runledger_elsewhere';

/** What workers listen on to hear that a job is to be cancelled: its id. */
export const CANCEL_CHANNEL = 'runledger_cancel';
