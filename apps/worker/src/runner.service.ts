import { Inject, Injectable, Logger } from '@nestjs/common';
import { Admission, CANCEL_CHANNEL, JobRunner, Reconciler, SANDBOX, SUBMITTED_CHANNEL, WorkdirService } from '#runner';
import { Database } from '#database';
import { messageOf } from '#kernel';
import type { SandboxDriver } from '#sandbox';

/** What a worker process of the queue `runner` does beside answering messages: it admits what was submitted and reconciles what was lost. */
@Injectable()
export class RunnerService {
  private readonly logger = new Logger(RunnerService.name);

  constructor(
    private readonly database: Database,
    private readonly admission: Admission,
    private readonly reconciler: Reconciler,
    private readonly runner: JobRunner,
    private readonly workdirs: WorkdirService,
    @Inject(SANDBOX) private readonly sandbox: SandboxDriver,
  ) {}

  async start(): Promise<void> {
    const unavailable = await this.sandbox.unavailable();
    if (unavailable !== null) this.logger.error(`commands cannot run on this host: ${unavailable}`);
    if (this.sandbox.name === 'process')
      this.logger.warn('SANDBOX=process: commands run with all rights of this process and without isolation');
    const abandoned = await this.sandbox.endAbandonedRuns();
    if (abandoned > 0)
      this.logger.warn(
        `ended ${abandoned} ${this.sandbox.name === 'docker' ? 'containers' : 'processes'} of commands whose worker is gone`,
      );
    const admit = (): void => void this.admission.admitPending();
    // What was submitted while the connection was away was not heard.
    await this.database.listen(SUBMITTED_CHANNEL, admit, admit);
    // What was asked for while the connection was away is found by the next renewal, or by the reconciler.
    await this.database.listen(CANCEL_CHANNEL, (jobId) => void this.cancel(jobId));
    await this.workdirs.start();
    this.reconciler.start();
    admit();
  }

  private async cancel(jobId: string): Promise<void> {
    await this.runner
      .cancel(jobId)
      .catch((error: unknown) =>
        this.logger.warn(`job ${jobId} was not cancelled yet, it will be tried again: ${messageOf(error)}`),
      );
  }

  /** @param graceMs how long running steps may go on */
  async stop(graceMs: number): Promise<void> {
    await this.workdirs.stop();
    await this.reconciler.stop();
    this.admission.drain();
    await this.runner.stop(graceMs);
    await this.admission.stop();
  }
}
