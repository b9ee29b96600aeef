import { AppError, type FieldError } from '#kernel';
import fc from 'fast-check';
import { DEFINITION_LIMITS } from './definition-limits.js';
import { EXAMPLE_JOB } from './example-job.js';
import { parseJobDefinition } from './parse-job-definition.js';

/** The errors of a definition; anything but a VALIDATION_FAILED that says why fails the test. */
function errorsOf(input: unknown): FieldError[] {
  try {
    parseJobDefinition(input);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('VALIDATION_FAILED');
    expect(error.fields.length).toBeGreaterThan(0);
    expect(error.fields.length).toBeLessThanOrEqual(100);
    return error.fields;
  }
  return [];
}

const command = { key: 'a', type: 'COMMAND', run: 'true' };
const withSteps = (...steps: unknown[]): object => ({ name: 'job', steps });

describe('whatever the input', () => {
  const outcome = (input: unknown): void => {
    const errors = errorsOf(input);
    for (const error of errors)
      expect(error.message).toContain(error.field === '' ? 'the job definition' : error.field);
  };

  it('answers arbitrary JSON and arbitrary JavaScript with VALIDATION_FAILED', () => {
    fc.assert(fc.property(fc.jsonValue(), outcome), { numRuns: 300 });
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withSparseArray: true,
        }),
        outcome,
      ),
      { numRuns: 300 },
    );
  });

  it('answers a valid definition with one part replaced, and accepts only what it accepts again', () => {
    const fields = [
      'name',
      'kind',
      'priority',
      'env',
      'steps',
      'key',
      'phase',
      'type',
      'when',
      'run',
      'uses',
      'with',
      'limits',
      'condition',
      'paths',
      'logicalKey',
      ...['projectId', 'tags', 'metadata', 'timeoutSeconds', 'runAt', 'expiresAt', 'concurrency', 'rateLimit'],
      ...['checkpoints', 'network', 'retry', 'onInterrupt', 'approval', 'maxAttempts', 'on', 'scope', 'subject'],
      ...['approverRoles', 'artifacts', 'command', 'summary', 'limit', 'periodSeconds', 'onConflict', 'factor'],
    ];
    const names = fc.constantFrom(...fields, 'constructor', '__proto__', 'toString', 'memoryMb');
    const strings = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'a', '${{ job.id }}', '${{', 'steps.count.outputs["x"]', '\ud800', '\0'),
    );
    const values = fc.oneof(
      fc.jsonValue(),
      strings,
      fc.dictionary(names, fc.oneof(strings, fc.integer(), fc.constant(null))),
      fc.array(strings),
    );
    const nests = ['limits', 'retry', 'approval', 'subject', 'concurrency', 'rateLimit', 'metadata'] as const;
    const where = fc.constantFrom('job', 'step', 'env', ...nests);
    fc.assert(
      fc.property(where, fc.nat(3), names, values, (place, index, name, value) => {
        const job = structuredClone(EXAMPLE_JOB) as { env: object; steps: Record<string, unknown>[] };
        const step = job.steps[index];
        const subject = {};
        const nested: Record<(typeof nests)[number], Record<string, unknown>> = {
          ...{ limits: {}, retry: { maxAttempts: 2 }, approval: { scope: 'repo.push', subject }, subject },
          ...{ concurrency: { key: 'k' }, rateLimit: { key: 'k', limit: 1, periodSeconds: 1 }, metadata: {} },
        };
        const { limits, retry, approval, concurrency, rateLimit, metadata } = nested;
        if (index === 0) Object.assign(job, { concurrency, rateLimit, metadata });
        if (step?.['type'] === 'COMMAND') Object.assign(step, { limits, retry });
        if (step?.['type'] === 'GATE') Object.assign(step, { approval });
        const target = { job, step, env: job.env, ...nested }[place];
        Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
        outcome(job);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same answer to the same input and leaves the input alone', () => {
    const before = structuredClone(EXAMPLE_JOB);
    expect(parseJobDefinition(EXAMPLE_JOB)).toEqual(parseJobDefinition(JSON.parse(JSON.stringify(EXAMPLE_JOB))));
    expect(EXAMPLE_JOB).toEqual(before);
  });

  it('stays fast on the largest inputs', () => {
    const script = `${'echo "$('.repeat(1000)}${'${{ job.id }} '.repeat(90)}`.padEnd(
      DEFINITION_LIMITS.runLength,
      '\'"`(#<<A\n',
    );
    const before = performance.now();
    errorsOf(withSteps({ ...command, run: script }));
    errorsOf(withSteps({ ...command, run: '${{'.repeat(80_000) }));
    errorsOf(withSteps({ ...command, run: '<<A $(\n'.repeat(37_000) }));
    errorsOf(withSteps({ ...command, run: "'${{".repeat(60_000) }));
    expect(performance.now() - before).toBeLessThan(5000);
  });
});
