import { verifyChain } from '#ledger';
import type { Finished } from './runner-system.js';

/** The rows must be exactly what folding the events gives, column by column. */
export function expectRowsEqualFold({ job, fold }: Finished): void {
  const { status, progressPercent, currentPhase, createdAt, queuedAt, startedAt, completedAt, updatedAt } = fold;
  expect(job).toMatchObject({
    status,
    progressPercent,
    currentPhase,
    createdAt,
    queuedAt,
    startedAt,
    completedAt,
    updatedAt,
  });
  const { failedStepId, result, priority, kind, name, definition } = fold;
  expect(job).toMatchObject({ failedStepId, result, priority, kind, name, definition });
  expect(job.error).toEqual(fold.errorCode === null ? null : { code: fold.errorCode, message: fold.errorMessage });
  expect(job.steps).toHaveLength(fold.steps.length);
  fold.steps.forEach((step, index) => {
    const { id, ordinal, key, phase, type, attempt, outputs, skipReason, durationMs, tokensInput, tokensOutput } = step;
    expect(job.steps[index]).toMatchObject({
      id,
      ordinal,
      key,
      phase,
      type,
      attempt,
      outputs,
      skipReason,
      durationMs,
      tokensInput,
      tokensOutput,
    });
    expect(job.steps[index]).toMatchObject({
      status: step.status,
      startedAt: step.startedAt,
      completedAt: step.completedAt,
    });
  });
}

/** The chain holds to its recorded head, the rows are the fold, and no step was completed twice. */
export function expectWhole(finished: Finished): void {
  const { id: jobId, workspaceId, head: recordedHead } = finished.job;
  expect(verifyChain(finished.events, { jobId, workspaceId, recordedHead })).toMatchObject({ valid: true });
  expectRowsEqualFold(finished);
  const ends = finished.events.filter(({ type }) => ['step.completed', 'step.failed', 'step.skipped'].includes(type));
  expect(ends.map(({ stepId }) => stepId).sort()).toEqual(finished.job.steps.map((step) => step.id).sort());
}
