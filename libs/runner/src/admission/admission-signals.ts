/** What the engine of this process tells admission, so that a free place is given away at once. Calls return at once and never throw. */
export interface AdmissionSignals {
  /** A job is over, or parked: its place in the workspace is free, and its concurrency key when it is over. Called after the commit. */
  jobEnded(job: { workspaceId: string; concurrencyKey: string | null }): void;
  /** A job was taken from the queue: there is room for another one. */
  jobClaimed(): void;
  /** A job is not held until `wakeAt` (RFC 3339), or until somebody wakes it. Called after the commit. */
  jobParked(wakeAt: string | null): void;
}

/**
 * Stands between the engine, which is built first, and admission, which needs the engine to end jobs that never started. Signals that
 * nobody listens to are lost, which is harmless: the reconciler looks as well.
 */
export class AdmissionBell implements AdmissionSignals {
  private listener: AdmissionSignals | undefined;

  connect(listener: AdmissionSignals): void {
    this.listener = listener;
  }

  jobEnded(job: { workspaceId: string; concurrencyKey: string | null }): void {
    this.listener?.jobEnded(job);
  }

  jobClaimed(): void {
    this.listener?.jobClaimed();
  }

  jobParked(wakeAt: string | null): void {
    this.listener?.jobParked(wakeAt);
  }
}
