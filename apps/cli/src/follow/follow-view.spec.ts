import pc from 'picocolors';
import type { FollowItem, JobEvent, JobStep, RunnerJob, TranscriptStream } from '#client';
import { widthOf } from '../terminal/format.js';
import { FollowView } from './follow-view.js';

const step = (key: string, phase: JobStep['phase'], type: JobStep['type'], name: string): JobStep => ({
  id: `id-${key}`,
  jobId: 'j',
  ordinal: 0,
  key,
  name,
  phase,
  type,
  status: 'PENDING',
  attempt: 0,
  interruptions: 0,
  retryAt: null,
  outputs: null,
  exitCode: null,
  error: null,
  skipReason: null,
  tokensInput: 0,
  tokensOutput: 0,
  durationMs: null,
  startedAt: null,
  completedAt: null,
});

const steps = [
  step('count', 'EXECUTION', 'COMMAND', 'Count the files'),
  step('enough', 'VALIDATION', 'GATE', 'Enough files'),
  step('keep', 'VALIDATION', 'ARTIFACT', 'Keep the report'),
];

const job: RunnerJob = {
  id: '0198f3c2-7a10-7000-8000-000000000001',
  workspaceId: 'w',
  kind: 'PIPELINE',
  name: 'inventory',
  status: 'PENDING',
  priority: 5,
  progressPercent: 0,
  progressMessage: null,
  currentPhase: null,
  error: null,
  waitingFor: null,
  projectId: null,
  tags: [],
  metadata: {},
  runAt: null,
  expiresAt: null,
  concurrency: null,
  rateLimit: null,
  retryOf: null,
  scheduleId: null,
  cancelRequestedAt: null,
  createdBy: { type: 'api_key', id: 'k' },
  version: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
  queuedAt: null,
  startedAt: null,
  completedAt: null,
  updatedAt: '2026-01-01T00:00:00.000Z',
  definition: {},
  result: null,
  failedStepId: null,
  head: { seq: 1, hash: '0'.repeat(64) },
  steps,
};

let seq = 0;
function event(type: string, at: number, of: { step?: string; payload?: Record<string, unknown> } = {}): FollowItem {
  const found = steps.find((each) => each.key === of.step);
  const made: JobEvent = {
    id: 'e',
    v: 1,
    workspaceId: 'w',
    jobId: 'j',
    seq: (seq += 1),
    type,
    phase: found?.phase ?? null,
    stepId: found?.id ?? null,
    actorType: 'worker',
    actorId: 'x',
    timestamp: new Date(Date.UTC(2026, 0, 1) + at).toISOString(),
    payload: of.payload ?? {},
    payloadHash: '',
    prevHash: '',
    hash: 'abcdef0123456789',
  };
  return { kind: 'event', event: made };
}
const output = (key: string, text: string, stream: TranscriptStream = 'stdout'): FollowItem => ({
  kind: 'output',
  output: { stepId: `id-${key}`, stepKey: key, attempt: 1, stream, offset: 0, text },
});

function show(items: FollowItem[], columns = 80): string[] {
  const view = new FollowView(job, pc.createColors(false), columns);
  return items.flatMap((item) => view.apply(item));
}

beforeEach(() => (seq = 0));

describe('FollowView', () => {
  it('tells a job from its start to its end', () => {
    const lines = show([
      event('job.created', 0),
      event('job.started', 100),
      event('step.started', 100, { step: 'count' }),
      output('count', '214 fi'),
      output('count', 'les\nlast line without its end'),
      event('step.completed', 1_300, { step: 'count', payload: { durationMs: 1_200, outputs: { files: '214' } } }),
      event('step.started', 1_300, { step: 'enough' }),
      event('gate.passed', 1_301, { step: 'enough', payload: { condition: 'int(steps.count.outputs.files) > 10' } }),
      event('step.completed', 1_302, { step: 'enough', payload: { durationMs: 2, outputs: {} } }),
      event('step.started', 1_303, { step: 'keep' }),
      event('artifact.created', 1_304, {
        step: 'keep',
        payload: { path: 'report.md', sizeBytes: 12_400, sha256: '3f9a1c22ab77'.repeat(5) },
      }),
      event('step.completed', 1_305, { step: 'keep', payload: { durationMs: 2, outputs: {} } }),
      event('job.completed', 1_400, { payload: { result: {} } }),
    ]);
    expect(lines.map((line) => line.replace(/ {3,}/, ' … '))).toEqual([
      '',
      'EXECUTION',
      '  ◦ Count the files',
      ' … │ 214 files',
      ' … │ last line without its end',
      '  ✓ Count the files … 1.2 s',
      ' … files=214',
      '',
      'VALIDATION',
      '  ✓ Enough files … 2 ms',
      ' … int(steps.count.outputs.files) > 10 → true  (files = 214)',
      '  ✓ Keep the report … 2 ms',
      ' … report.md  12.4 kB  sha256 3f9a1c22ab77…',
      '',
      '✓ COMPLETED in 1.3 s · 3 steps · 11 events · head abcdef01…',
    ]);
  });

  it('tells why a job failed and what it did not do', () => {
    const text = show([
      event('job.started', 0),
      event('step.started', 0, { step: 'count' }),
      event('step.failed', 10, {
        step: 'count',
        payload: { durationMs: 10, code: 'COMMAND_FAILED', message: 'exit code 3', outputs: {}, continued: false },
      }),
      event('step.skipped', 11, { step: 'enough', payload: { reason: 'PRECEDING_FAILURE' } }),
      event('job.failed', 20, {
        payload: { code: 'COMMAND_FAILED', message: 'step "count": exit code 3', stepKey: 'count' },
      }),
    ]).join('\n');
    expect(text).toContain('✗ Count the files');
    expect(text).toContain('COMMAND_FAILED: exit code 3');
    expect(text).toContain('– Enough files  skipped: an earlier step failed');
    expect(text).toContain('✗ FAILED in 20 ms');
    expect(text).toContain('COMMAND_FAILED: step "count"');
  });

  it('lets no output steer the terminal', () => {
    const text = show([
      event('step.started', 0, { step: 'count' }),
      output('count', '\u001b[2J\u001b[31mred\u001b[0m\u0007\n'),
    ]).join('');
    expect(text).not.toMatch(/\p{Cc}/u);
    expect(text).toContain('│ red');
  });

  it.each([80, 120])('aligns titles and durations at %d columns', (columns) => {
    const long = { ...job, steps: steps.map((each) => ({ ...each, name: 'x'.repeat(300) })) };
    const view = new FollowView(long, pc.createColors(false), columns);
    view.apply(event('step.started', 0, { step: 'count' }));
    const lines = view.apply(event('step.completed', 1, { step: 'count', payload: { durationMs: 1, outputs: {} } }));
    expect(lines.map(widthOf)).toContain(columns);
    expect(Math.max(...view.header().map(widthOf))).toBe(columns);
  });

  it.each([80, 120])('breaks what is longer than %d columns between words, and keeps the indent', (columns) => {
    const words = 'word '.repeat(60).trim();
    const lines = show(
      [
        event('step.started', 0, { step: 'count' }),
        output('count', `${words}\n`),
        event('step.failed', 1, {
          step: 'count',
          payload: { durationMs: 1, code: 'COMMAND_FAILED', message: words, outputs: {} },
        }),
        event('gate.passed', 2, { step: 'enough', payload: { condition: words } }),
        event('step.completed', 3, { step: 'enough', payload: { durationMs: 1, outputs: {} } }),
        event('job.failed', 4, { payload: { code: 'COMMAND_FAILED', message: words } }),
      ],
      columns,
    );
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    const broken = lines.filter((line) => line.includes('word'));
    expect(broken.length).toBeGreaterThan(8);
    broken.forEach((line) => expect(line).toMatch(/^ {2,4}(│ )?(\w+: )?word( word)*$/));
  });

  it('breaks nothing where nobody watches', () => {
    const view = new FollowView(job, pc.createColors(false), 80, Infinity);
    const line = 'word '.repeat(60).trim();
    view.apply(event('step.started', 0, { step: 'count' }));
    expect(view.apply(output('count', `${line}\n`))).toContain(`    │ ${line}`);
  });

  it('counts one as one', () => {
    const view = new FollowView({ ...job, steps: steps.slice(0, 1) }, pc.createColors(false), 80);
    expect(view.apply(event('job.completed', 1)).join()).toContain('· 1 step · 1 event ·');
  });

  it('says what runs, and that nobody has taken the job yet', () => {
    const view = new FollowView(job, pc.createColors(false), 80);
    expect(view.running(0)).toBe('waiting for a worker');
    view.apply(event('job.started', 0));
    expect(view.running(0)).toBeNull();
    view.apply(event('step.started', 0, { step: 'count' }));
    expect(view.running(Date.UTC(2026, 0, 1) + 2_340)).toBe('Count the files 2.3 s');
  });

  it('shows a job whose payloads were erased', () => {
    const erased = event('step.completed', 1, { step: 'count' });
    if (erased.kind === 'event') erased.event.payload = null;
    expect(show([event('step.started', 0, { step: 'count' }), erased]).join('\n')).toContain('✓ Count the files');
  });

  it('tells the streams apart, with colours and without, and never puts their lines into each other', () => {
    const items = [
      event('step.started', 0, { step: 'count' }),
      output('count', 'half a '),
      output('count', 'oops\nand ', 'stderr'),
      output('count', 'line\n'),
      output('count', 'more', 'stderr'),
      output('count', '\n[... 5 bytes left out ...]\n', 'runner'),
      event('step.completed', 1, { step: 'count', payload: { durationMs: 1, outputs: {} } }),
    ];
    const lines = show(items).filter((line) => /[│┃]/.test(line));
    expect(lines).toEqual([
      '    ┃ oops',
      '    │ half a line',
      '    │',
      '    │ [... 5 bytes left out ...]',
      '    ┃ and more',
    ]);
    const colored = new FollowView(job, pc.createColors(true), 80);
    const text = items.flatMap((item) => colored.apply(item)).join('\n');
    expect(text).toContain(`${pc.createColors(true).red('    ┃')} `);
  });

  it('says at once that a gate waits for people, what for, and how to answer', () => {
    const subject = { summary: 'Version 1.4', digest: 'd7f1b0a5'.repeat(8), files: { count: 2, sizeBytes: 5_120 } };
    const request = {
      approvalId: 'a-1',
      scope: 'deploy.production',
      subject,
      minApprovals: 2,
      approverRoles: ['boss'],
    };
    const decision = { actorName: 'Maria', comment: 'fine', grants: 1, minApprovals: 2 };
    const asked = show([
      event('step.started', 0, { step: 'enough' }),
      event('gate.started', 0, { step: 'enough', payload: { condition: null } }),
      event('approval.requested', 1, { step: 'enough', payload: request }),
      event('approval.granted', 2, { step: 'enough', payload: decision }),
      event('approval.requested', 3, { step: 'enough', payload: { ...request, approvalId: 'a-2', replaces: 'a-1' } }),
      event('approval.rejected', 4, { step: 'enough', payload: { ...decision, comment: null } }),
      event('gate.failed', 5, { step: 'enough', payload: { condition: null, reason: 'rejected by "Maria"' } }),
    ]);
    expect(asked).toEqual([
      '',
      'VALIDATION',
      '  ? Enough files  waits for 2 approvals of boss: deploy.production',
      '    Version 1.4',
      '    digest d7f1b0a5…  2 files, 5.1 kB',
      '    runledger approve a-1',
      '    granted by Maria (1 of 2): fine',
      '  ? Enough files  waits for 2 approvals of boss: deploy.production, again,',
      '    because the content has changed',
      '    Version 1.4',
      '    digest d7f1b0a5…  2 files, 5.1 kB',
      '    runledger approve a-2',
      '    rejected by Maria',
    ]);
  });
});
