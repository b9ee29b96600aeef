import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '#kernel';
import { QueueProducer } from '#queue';
import type { AdmissionSignals } from '../admission/admission-signals.js';
import type { JobState } from '../state/job-state.js';
import type { HeldJob } from './held-job.js';

/** How the engine tells others of a job: the queue, that it is on offer; admission, that there may be room for another. */
@Injectable()
export class Delivery {
  private readonly logger = new Logger(Delivery.name);

  constructor(
    private readonly queue: QueueProducer,
    private readonly admission: AdmissionSignals,
  ) {}

  /** Puts the job on the queue for its next phase, before those that have not begun. An offer that fails is made up for by the reconciler. */
  async offer({ id, state, offers }: HeldJob): Promise<void> {
    const payload = { jobId: id, workspaceId: state.workspaceId };
    await this.queue
      .offer('runner', [{ id: `${id}_${offers}`, payload, priority: 0 }])
      .catch((error: unknown) =>
        this.logger.warn(`job ${id} was not offered, the reconciler will: ${messageOf(error)}`),
      );
  }

  claimed(): void {
    this.admission.jobClaimed();
  }

  /** @param wakeAt RFC 3339, or null when only an event can wake it */
  parked(wakeAt: string | null): void {
    this.admission.jobParked(wakeAt);
  }

  ended({ workspaceId, concurrency }: JobState): void {
    this.admission.jobEnded({ workspaceId, concurrencyKey: concurrency?.key ?? null });
  }
}
