import { AppError, type FieldError } from '#kernel';
import { parseJobDefinition } from './parse-job-definition.js';

const now = '2026-11-21T12:00:00.000Z';

function errorsOf(input: unknown): FieldError[] {
  try {
    parseJobDefinition(input, { now });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('VALIDATION_FAILED');
    return error.fields;
  }
  return [];
}

const command = { key: 'a', type: 'COMMAND', run: 'true' };
const job = (options: object): object => ({ name: 'job', ...options, steps: [command] });
const step = (options: object): object => ({ name: 'job', steps: [{ ...command, ...options }] });
const gate = (approval: unknown, ...later: object[]): object => ({
  name: 'job',
  steps: [{ key: 'ask', type: 'GATE', approval }, ...later],
});
const subject = (given: object, ...later: object[]): object => gate({ scope: 'repo.push', subject: given }, ...later);
const rate = { key: 'k', limit: 1, periodSeconds: 1 };

describe('what a job asks for beside its steps', () => {
  it('is stored in one form', () => {
    const accepted = parseJobDefinition(
      job({
        projectId: '0198F3C2-7A10-7000-8000-00000000000A',
        tags: ['b', 'a', 'b', 'größe:1'],
        metadata: { constructor: 'x', toString: { deep: [null] } },
        timeoutSeconds: 2_592_000,
        runAt: '2026-11-22t08:00:00.12345+01:00',
        expiresAt: '2026-11-22 08:00:00Z',
        concurrency: { key: 'deploy-${{ job.projectId }}' },
        rateLimit: { key: 'mail', limit: 10_000, periodSeconds: 86_400 },
        checkpoints: false,
      }),
      { now },
    );
    expect(accepted).toMatchObject({
      projectId: '0198f3c2-7a10-7000-8000-00000000000a',
      tags: ['a', 'b', 'größe:1'],
      timeoutSeconds: 2_592_000,
      runAt: '2026-11-22T07:00:00.123Z',
      expiresAt: '2026-11-22T08:00:00.000Z',
      concurrency: { key: 'deploy-${{ job.projectId }}', limit: 1, onConflict: 'queue' },
      rateLimit: { key: 'mail', limit: 10_000, periodSeconds: 86_400 },
      checkpoints: false,
    });
    expect(Object.entries(accepted.metadata)).toEqual([
      ['constructor', 'x'],
      ['toString', { deep: [null] }],
    ]);
  });

  it('takes null as absent', () => {
    const names = ['projectId', 'tags', 'metadata', 'timeoutSeconds', 'runAt', 'expiresAt', 'concurrency', 'rateLimit'];
    const nulls = Object.fromEntries([...names, 'checkpoints'].map((name) => [name, null]));
    expect(parseJobDefinition(job(nulls))).toEqual(parseJobDefinition(job({})));
  });

  it.each<[object, string]>([
    [{ projectId: 'p' }, 'projectId must be a UUID'],
    [{ projectId: 3 }, 'projectId must be a UUID'],
    [{ tags: 'a' }, 'tags must be a list of strings'],
    [{ tags: Array.from({ length: 21 }, (_, i) => `t${i}`) }, 'tags must have at most 20 entries'],
    [
      { tags: ['ok', 'a b'] },
      'tags[1] must be 1 to 64 letters, digits and . _ : / @ + = -, beginning with a letter or digit',
    ],
    [
      { tags: [{ a: 1 }] },
      'tags[0] must be 1 to 64 letters, digits and . _ : / @ + = -, beginning with a letter or digit',
    ],
    [
      { tags: ['x'.repeat(65)] },
      'tags[0] must be 1 to 64 letters, digits and . _ : / @ + = -, beginning with a letter or digit',
    ],
    [{ metadata: [1] }, 'metadata must be an object'],
    [{ metadata: { a: 'é'.repeat(8 * 1024) } }, 'metadata must be at most 16 KiB of JSON'],
    [{ metadata: { a: [[[[[[[[1]]]]]]]] } }, 'metadata must not be nested deeper than 8 levels'],
    [{ timeoutSeconds: 0 }, 'timeoutSeconds must be a whole number from 1 to 2592000'],
    [
      { runAt: '2026-11-22T08:00:00' },
      'runAt must be a time of RFC 3339 with an offset, such as 2027-01-31T08:00:00+01:00',
    ],
    [{ runAt: 1 }, 'runAt must be a time of RFC 3339 with an offset, such as 2027-01-31T08:00:00+01:00'],
    [
      { runAt: '2026-02-30T08:00:00Z' },
      'runAt must be a time of RFC 3339 with an offset, such as 2027-01-31T08:00:00+01:00',
    ],
    [{ runAt: '2027-11-23T00:00:00Z' }, 'runAt must be at most 366 days ahead'],
    [{ expiresAt: now }, 'expiresAt must be in the future'],
    [{ runAt: '2026-11-23T00:00:00Z', expiresAt: '2026-11-22T23:59:59Z' }, 'expiresAt must be after runAt'],
    [{ checkpoints: 'no' }, 'checkpoints must be true or false'],
    [{ concurrency: 'deploy' }, 'concurrency must be an object'],
    [{ concurrency: {} }, 'concurrency.key must be a string'],
    [{ concurrency: { key: 'x'.repeat(10_240) } }, 'concurrency.key must have 1 to 1000 characters'],
    [{ concurrency: { key: 'x'.repeat(201) } }, 'concurrency.key must have 1 to 200 characters'],
    [{ concurrency: { key: 'k', limit: 0 } }, 'concurrency.limit must be a whole number from 1 to 10000'],
    [
      { concurrency: { key: 'k', onConflict: 'fail' } },
      'concurrency.onConflict must be one of queue, skip, cancel-running',
    ],
    [{ concurrency: { key: 'k', other: 1 } }, 'concurrency.other is not a field of a job definition'],
    [
      { concurrency: { key: '${{ steps.a.status }}' } },
      'concurrency.key refers to a step, but no step has run when this is filled in; only job is known then',
    ],
    [
      { concurrency: { key: '${{ job.id' } },
      'concurrency.key: the ${{ in line 1 has no closing }}; write $${{ where the characters themselves are meant',
    ],
    [{ rateLimit: { ...rate, limit: 10_001 } }, 'rateLimit.limit must be a whole number from 1 to 10000'],
    [{ rateLimit: { key: 'k', limit: 1 } }, 'rateLimit.periodSeconds must be a whole number from 1 to 86400'],
    [{ rateLimit: { ...rate, key: ' ' } }, 'rateLimit.key must not be blank'],
  ])('%j: %s', (options, message) => {
    expect(errorsOf(job(options)).map((error) => error.message)).toEqual([message]);
  });
});

describe('what a command asks for', () => {
  it('has its defaults, and a number for short', () => {
    const defaults = { backoffMs: 1000, factor: 2, maxBackoffMs: 300_000, jitter: 0, on: null };
    const stored = (options: object): unknown => parseJobDefinition(step(options)).steps[0];
    expect(stored({ retry: 3 })).toMatchObject({ retry: { maxAttempts: 3, ...defaults }, onInterrupt: 'retry' });
    expect(
      stored({ retry: { maxAttempts: 100, on: [1, 'TIMEOUT', 1] }, network: 'full', onInterrupt: 'fail' }),
    ).toMatchObject({
      ...{ network: 'full', onInterrupt: 'fail' },
      retry: { ...defaults, maxAttempts: 100, on: [1, 'TIMEOUT'] },
    });
    const rule = { maxAttempts: 2, backoffMs: 0, factor: 1.5, maxBackoffMs: 0, jitter: 0.25, on: ['INTERRUPTED', 255] };
    expect(stored({ retry: rule })).toMatchObject({ retry: rule });
  });

  it.each<[object, string]>([
    [{ retry: 1 }, 'steps[0].retry.maxAttempts must be a whole number from 2 to 100'],
    [{ retry: {} }, 'steps[0].retry.maxAttempts must be a whole number from 2 to 100'],
    [{ retry: 'often' }, 'steps[0].retry must be an object'],
    [{ retry: [3] }, 'steps[0].retry must be an object'],
    [{ retry: { maxAttempts: 2, factor: 0.5 } }, 'steps[0].retry.factor must be a number from 1 to 10'],
    [{ retry: { maxAttempts: 2, jitter: 2 } }, 'steps[0].retry.jitter must be a number from 0 to 1'],
    [
      { retry: { maxAttempts: 2, backoffMs: -1 } },
      'steps[0].retry.backoffMs must be a whole number from 0 to 86400000',
    ],
    [{ retry: { maxAttempts: 2, on: [] } }, 'steps[0].retry.on must have at least 1 entry'],
    [
      { retry: { maxAttempts: 2, on: [0] } },
      'steps[0].retry.on[0] must be an exit code from 1 to 255, TIMEOUT or INTERRUPTED',
    ],
    [
      { retry: { maxAttempts: 2, on: [1, 'OOM'] } },
      'steps[0].retry.on[1] must be an exit code from 1 to 255, TIMEOUT or INTERRUPTED',
    ],
    [
      { retry: { maxAttempts: 2, on: ['INTERRUPTED'] }, onInterrupt: 'fail' },
      'steps[0].onInterrupt must not be fail where retry.on has INTERRUPTED: one says to fail, the other to try again',
    ],
    [{ onInterrupt: 'stop' }, 'steps[0].onInterrupt must be one of retry, fail'],
    [{ network: 'some' }, 'steps[0].network must be one of none, full'],
    [{ limits: { diskMb: 0 } }, 'steps[0].limits.diskMb must be a whole number from 1 to 1048576'],
    [{ approval: { scope: 'repo.push' } }, 'steps[0].approval belongs to GATE steps only'],
  ])('%j: %s', (options, message) => {
    expect(errorsOf(step(options)).map((error) => error.message)).toEqual([message]);
  });

  it('belongs to commands only', () => {
    const options = { network: 'none', retry: 2, onInterrupt: 'retry' };
    const steps = [{ key: 'g', type: 'GATE', condition: 'true', ...options }];
    expect(errorsOf({ name: 'job', steps }).map((error) => error.message)).toEqual([
      'steps[0].network belongs to COMMAND steps only',
      'steps[0].retry belongs to COMMAND steps only',
      'steps[0].onInterrupt belongs to COMMAND steps only',
    ]);
  });
});

describe('what a gate asks for', () => {
  const later = { key: 'push', phase: 'VALIDATION', type: 'COMMAND', run: 'git push' };

  it('has its defaults; without a subject it is the job itself', () => {
    expect(parseJobDefinition(gate({ scope: 'deploy.production' })).steps[0]).toMatchObject({
      condition: null,
      approval: {
        ...{ scope: 'deploy.production', minApprovals: 1, approverRoles: [], expiresInSeconds: 604_800 },
        subject: { summary: null, paths: [], artifacts: [], command: null },
      },
    });
  });

  it('keeps what is given, with a condition or without', () => {
    const given = {
      summary: 'push ${{ job.name }}',
      paths: ['dist/**'],
      artifacts: [{ logicalKey: 'app' }],
      command: 'push',
    };
    const approval = {
      scope: 'my-team.go_live.eu',
      minApprovals: 2,
      approverRoles: ['lead', 'cto', 'lead'],
      subject: given,
    };
    const steps = [{ key: 'ask', type: 'GATE', condition: 'true', approval }, later];
    expect(parseJobDefinition({ name: 'job', steps }).steps[0]).toMatchObject({
      condition: 'true',
      approval: {
        ...{ scope: 'my-team.go_live.eu', minApprovals: 2, approverRoles: ['cto', 'lead'] },
        subject: { ...given, artifacts: [{ kind: 'file', logicalKey: 'app' }] },
      },
    });
  });

  it('may name a command that is earlier in the list and later in time', () => {
    expect(
      errorsOf({ name: 'job', steps: [later, ...(subject({ command: 'push' }) as { steps: object[] }).steps] }),
    ).toEqual([]);
  });

  const scopeRule =
    'steps[0].approval.scope must be one of repo.push, repo.merge, infra.provision, infra.delete, repo.delete, deploy.production, or a name of your own of the same dotted form in at most 64 characters';
  it.each<[object, string]>([
    [gate(null), 'steps[0] needs a condition or an approval'],
    [gate('yes'), 'steps[0].approval must be an object'],
    [gate({}), scopeRule],
    [gate({ scope: 'push' }), scopeRule],
    [gate({ scope: 'Repo.push' }), scopeRule],
    [gate({ scope: `a.${'b'.repeat(63)}` }), scopeRule],
    [gate({ scope: 'a.b', minApprovals: 11 }), 'steps[0].approval.minApprovals must be a whole number from 1 to 10'],
    [
      gate({ scope: 'a.b', expiresInSeconds: 2_592_001 }),
      'steps[0].approval.expiresInSeconds must be a whole number from 1 to 2592000',
    ],
    [
      gate({ scope: 'a.b', approverRoles: ['Lead'] }),
      'steps[0].approval.approverRoles[0] must be 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter',
    ],
    [
      subject({}),
      'steps[0].approval.subject needs a summary, paths, artifacts or a command; leave it out to approve the job itself',
    ],
    [
      subject({ paths: [], artifacts: [] }),
      'steps[0].approval.subject needs a summary, paths, artifacts or a command; leave it out to approve the job itself',
    ],
    [subject({ paths: ['../x'] }), 'steps[0].approval.subject.paths[0] must not leave the workdir with ..'],
    [
      subject({ paths: ['${{ steps.ask.status }}'] }),
      'steps[0].approval.subject.paths[0] refers to step "ask", which is the step itself',
    ],
    [subject({ artifacts: [{}] }), 'steps[0].approval.subject.artifacts[0].logicalKey must be a string'],
    [subject({ artifacts: ['app'] }), 'steps[0].approval.subject.artifacts[0] must be an object'],
    [subject({ artifacts: {} }), 'steps[0].approval.subject.artifacts must be a list of artifacts'],
    [
      subject({ summary: '${{ job.x }}' }),
      'steps[0].approval.subject.summary refers to job.x, which does not exist; there are: id, name, kind, priority, workspaceId, projectId, tags, metadata, failed',
    ],
    [subject({ command: 'nothing' }), 'steps[0].approval.subject.command names step "nothing", which does not exist'],
    [
      subject({ command: 'ask' }),
      'steps[0].approval.subject.command names step "ask", which is no COMMAND step with run',
    ],
    [
      subject({ command: 'b' }, { ...command, key: 'b', phase: 'SETUP' }),
      'steps[0].approval.subject.command names step "b", which does not run after the gate',
    ],
  ])('%j: %s', (input, message) => {
    expect(errorsOf(input).map((error) => error.message)).toEqual([message]);
  });
});
