import fc from 'fast-check';
import { newId } from '#kernel';
import type { Actor, EventPayloads, EventType, NewEvent } from '#ledger';

/** One possible life of a job, and how the one who made it up knows that it ended. */
export interface History {
  workspaceId: string;
  jobId: string;
  events: NewEvent[];
  expected: {
    status: string;
    /** Of every step, by its id. */
    steps: Map<string, { status: string; attempt: number }>;
  };
}

type PlannedStep = EventPayloads['job.created']['steps'][number] & { continueOnError: boolean };

const PHASES = ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'];
const TYPES = ['COMMAND', 'GATE', 'ARTIFACT'];
const WORKER: Actor = { type: 'worker', id: 'worker-1' };

/**
 * Legal histories, written as the engine writes them: phases in order, steps in order, skips, retries, take-overs by another worker,
 * failures that are tolerated or not, CLEANUP in any case, cancellation at any time, and jobs that end before they begin.
 * Knows nothing of the reducer, so that the two check each other.
 */
export function histories(): fc.Arbitrary<History> {
  return fc.gen().map((draw) => new Walk(draw).run());
}

class Walk {
  private readonly events: NewEvent[] = [];
  private readonly steps: PlannedStep[];
  private readonly ends = new Map<string, { status: string; attempt: number }>();
  private now = Date.UTC(2026, 10, 21);
  private epoch = 1;
  private failed: PlannedStep | null = null;
  private cancelled = false;

  constructor(private readonly draw: fc.GeneratorValue) {
    const plan = fc.record({
      phase: fc.constantFrom(...PHASES),
      type: fc.constantFrom(...TYPES),
      continueOnError: fc.boolean(),
    });
    this.steps = draw(() => fc.array(plan, { minLength: 1, maxLength: 7 }))
      .sort((one, other) => PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase))
      .map((planned, ordinal) => ({
        id: newId(),
        key: `step-${ordinal}`,
        name: `Step ${ordinal}`,
        ordinal,
        config: {},
        ...planned,
      }));
    for (const step of this.steps) this.ends.set(step.id, { status: 'PENDING', attempt: 0 });
  }

  run(): History {
    const steps = this.steps.map(({ continueOnError: _, ...step }) => step);
    const priority = this.upTo(9);
    this.record('job.created', {
      ...{ kind: 'PIPELINE', name: 'made up', priority, definition: {}, steps },
      ...this.options(),
    });
    const status = this.endsEarly() ?? this.admitted();
    return { workspaceId: newId(), jobId: newId(), events: this.events, expected: { status, steps: this.ends } };
  }

  /** What a job may be created with; what is not given is left out. */
  private options(): Partial<EventPayloads['job.created']> {
    const later = new Date(this.now + 3_600_000).toISOString();
    return {
      ...(this.often(3) ? { projectId: newId() } : {}),
      ...(this.often(3) ? { tags: ['nightly', 'release'], metadata: { customer: 'acme', size: this.upTo(9) } } : {}),
      ...(this.often(4) ? { runAt: new Date(this.now).toISOString(), expiresAt: later } : {}),
      ...(this.often(4) ? { concurrency: { key: 'deploy', limit: 1, onConflict: this.oneOf('queue', 'skip') } } : {}),
      ...(this.often(4) ? { rateLimit: { key: 'mail', limit: 5, periodSeconds: 60 } } : {}),
      ...(this.often(4) ? { schedule: { scheduleId: newId(), scheduledFor: later } } : {}),
    };
  }

  private admitted(): string {
    this.record('job.queued', {});
    return this.endsEarly() ?? this.started();
  }

  private started(): string {
    this.record('job.started', { workerId: WORKER.id });
    for (const phase of PHASES) this.phase(phase);
    if (this.cancelled) this.cancel();
    else if (this.failed === null) this.record('job.completed', { result: { steps: this.steps.length } });
    else this.fail(this.failed);
    return this.cancelled ? 'CANCELLED' : this.failed === null ? 'COMPLETED' : 'FAILED';
  }

  /** @returns how, or null when it does not */
  private endsEarly(): string | null {
    const end = this.oneOf('no', 'no', 'no', 'no', 'no', 'no', 'cancelled', 'failed');
    if (end === 'failed') this.fail(null);
    if (end === 'cancelled') {
      this.record('job.cancel_requested', { reason: 'a test' });
      this.cancel();
    }
    return end === 'no' ? null : end.toUpperCase();
  }

  private cancel(): void {
    const requestedAt = new Date(this.now).toISOString();
    this.record('job.cancelled', {
      ...{ reason: 'a test', requestedAt, requestedBy: { type: 'api_key', id: 'key-1' } },
      ...{ stopped: [], lastProcessExitAt: null, result: {} },
    });
  }

  private phase(phase: string): void {
    const steps = this.steps.filter((step) => step.phase === phase);
    const left = phase === 'CLEANUP' ? null : this.whySkip();
    if (steps.length === 0 || left !== null) {
      for (const step of steps) this.skip(step, left ?? 'PRECEDING_FAILURE');
      this.record('phase.skipped', { reason: left ?? 'EMPTY' }, phase);
      return;
    }
    this.record('phase.started', { workerId: WORKER.id, epoch: this.epoch }, phase);
    if (this.often(6))
      this.record('checkpoint.restored', {
        jobId: newId(),
        ...this.tree(phase),
        ref: null,
        sha256: null,
        runFrom: 'a',
      });
    for (const step of steps) this.nextStep(step);
    this.keepWorkdir(phase);
    const failed = steps.find((step) => this.ends.get(step.id)?.status === 'FAILED' && !step.continueOnError);
    if (failed === undefined) this.record('phase.completed', { durationMs: 1 }, phase);
    else this.record('phase.failed', { durationMs: 1, stepKey: failed.key }, phase);
  }

  private nextStep(step: PlannedStep): void {
    const reason = step.phase === 'CLEANUP' ? null : this.whySkip();
    if (reason !== null) this.skip(step, reason);
    else if (this.often(6)) this.skip(step, 'CONDITION');
    else if (this.often(6)) this.reuse(step);
    else this.step(step);
    if (!this.cancelled && this.often(12)) {
      this.record('job.cancel_requested', { reason: 'a test' });
      this.cancelled = true;
    }
  }

  private keepWorkdir(phase: string): void {
    const what = this.oneOf('nothing', 'kept', 'not kept');
    if (what === 'kept')
      this.record(
        'checkpoint.created',
        { ...this.tree(phase), ref: 'a/b', sha256: '0'.repeat(64), skipped: ['pipe'] },
        phase,
      );
    if (what === 'not kept')
      this.record('checkpoint.skipped', { phase, reason: 'TOO_LARGE', message: 'a test' }, phase);
  }

  private tree(phase: string): { phase: string; treeHash: string; sizeBytes: number; files: number } {
    return { phase, treeHash: 'f'.repeat(64), sizeBytes: this.upTo(2_000), files: this.upTo(20) };
  }

  /** In a retry: the step's work is taken over from an earlier job. */
  private reuse(step: PlannedStep): void {
    const reusedFrom = { jobId: newId(), stepId: newId() };
    this.record(
      'step.skipped',
      { reason: 'REUSED', outputs: { attempt: 1 }, reusedFrom, inputsHash: 'a'.repeat(64) },
      step,
    );
    this.ends.set(step.id, { status: 'SKIPPED', attempt: 0 });
  }

  private step(step: PlannedStep): void {
    for (let attempt = 1; ; attempt += 1) {
      this.record('step.started', { key: step.key, attempt }, step);
      this.during(step, attempt);
      const end = this.oneOf('completed', 'completed', 'completed', 'failed', attempt < 3 ? 'retrying' : 'completed');
      if (end === 'retrying') {
        this.retry(step, attempt);
        continue;
      }
      if (end === 'completed') {
        this.record('step.completed', { attempt, outputs: { attempt }, exitCode: 0, durationMs: attempt }, step);
      } else {
        this.failStep(step, attempt);
      }
      this.ends.set(step.id, { status: end.toUpperCase(), attempt });
      return;
    }
  }

  private failStep(step: PlannedStep, attempt: number): void {
    const { continueOnError: continued } = step;
    if (!continued) this.failed ??= step;
    const failure = { code: 'COMMAND_FAILED', message: 'exit 1', exitCode: 1, outputs: { attempt } };
    this.record('step.failed', { attempt, ...failure, durationMs: 5, continued }, step);
  }

  /** By the same worker, or by one that took the job over and begins the phase anew. */
  private retry(step: PlannedStep, attempt: number): void {
    const takenOver = this.often(2);
    if (takenOver) {
      this.epoch += 1;
      this.record('phase.started', { workerId: WORKER.id, epoch: this.epoch }, step.phase);
    }
    const delayMs = takenOver ? 0 : this.upTo(1_000);
    const retryAt = delayMs === 0 ? {} : { retryAt: new Date(this.now + 2_000 + delayMs).toISOString() };
    const reason = takenOver ? 'INTERRUPTED' : 'FAILED';
    this.record('step.retrying', { attempt, reason, delayMs, ...retryAt }, step);
  }

  /** What may happen while a step runs. */
  private during(step: PlannedStep, attempt: number): void {
    if (step.type === 'GATE') this.record('gate.started', { condition: 'true' }, step);
    if (this.often(4)) this.record('step.progress', { percent: 50 }, step);
    if (this.often(4)) this.record('job.progress', { percent: this.upTo(120), message: `attempt ${attempt}` });
    if (this.often(4)) this.record('ai.tokens_used', { model: 'none', tokensInput: 3, tokensOutput: attempt }, step);
    if (step.type === 'GATE') this.record('gate.passed', { condition: 'true' }, step);
  }

  private skip(step: PlannedStep, reason: 'CONDITION' | 'PRECEDING_FAILURE' | 'CANCELLED'): void {
    this.record('step.skipped', { reason }, step);
    this.ends.set(step.id, { status: 'SKIPPED', attempt: 0 });
  }

  private fail(step: PlannedStep | null): void {
    const [stepId, stepKey] = [step?.id ?? null, step?.key ?? null];
    this.record('job.failed', { code: 'COMMAND_FAILED', message: 'it failed', stepId, stepKey, result: {} });
  }

  private whySkip(): 'CANCELLED' | 'PRECEDING_FAILURE' | null {
    if (this.cancelled) return 'CANCELLED';
    return this.failed === null ? null : 'PRECEDING_FAILURE';
  }

  private record<Type extends EventType>(
    type: Type,
    payload: EventPayloads[Type],
    place: PlannedStep | string | null = null,
  ): void {
    this.now += this.upTo(2_000);
    const step = typeof place === 'object' ? place : null;
    this.events.push({
      type,
      phase: typeof place === 'string' ? place : (step?.phase ?? null),
      stepId: step?.id ?? null,
      actor: WORKER,
      timestamp: new Date(this.now).toISOString(),
      payload,
    } as NewEvent);
  }

  private upTo(max: number): number {
    return this.draw(fc.nat, { max });
  }

  private often(oneIn: number): boolean {
    return this.upTo(oneIn - 1) === oneIn - 1;
  }

  private oneOf<Value>(...values: Value[]): Value {
    return this.draw(() => fc.constantFrom(...values));
  }
}
