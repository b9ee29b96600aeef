import { type Database } from '#database';
import { type QueueProducer } from '#queue';
import { Admission } from './admission.js';
import { AdmissionPass } from './admission-pass.js';
import { type AdmissionBell } from './admission-signals.js';
import { Conflicts } from './conflicts.js';
import { DueWork } from './due-work.js';
import { JobEnder } from './job-ender.js';
import { type WorkerRegistry } from './worker-registry.js';

export interface AdmissionParts {
  database: Database;
  queue: QueueProducer;
  registry: WorkerRegistry;
  bell: AdmissionBell;
  workerId: string;
  /** Lets the engine take a job that is to end without being run. */
  wake(jobId: string): Promise<unknown>;
}

/** Admission of one worker process, connected to its engine. */
export function createAdmission({ database, queue, registry, bell, workerId, wake }: AdmissionParts): Admission {
  const admission = new Admission(
    new AdmissionPass(database, { type: 'worker', id: workerId }),
    new DueWork(database, queue),
    new Conflicts(database),
    new JobEnder(wake),
    queue,
    registry,
  );
  bell.connect(admission);
  return admission;
}
