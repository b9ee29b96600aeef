import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { verifyChain } from '#ledger';
import { expectRowsEqualFold } from './expect-fold.js';
import { startRunnerSystem, type RunnerSystem } from './runner-system.js';

const INVENTORY = {
  name: 'inventory',
  env: { GREETING: 'hello' },
  steps: [
    { key: 'sweep', phase: 'CLEANUP', type: 'COMMAND', run: 'echo swept' },
    { key: 'files', phase: 'SETUP', type: 'COMMAND', run: 'mkdir out && echo one > out/a.txt && echo two > out/b.txt' },
    {
      key: 'count',
      type: 'COMMAND',
      run: 'echo "$GREETING"; echo oops >&2; echo "files=$(ls out | wc -l)" >> "$RUNLEDGER_OUTPUT"; echo \'{"ratio": 0.5, "ok": true}\' >> "$RUNLEDGER_OUTPUT"',
    },
    {
      key: 'enough',
      phase: 'VALIDATION',
      type: 'GATE',
      condition: 'int(steps.count.outputs.files) == 2 && steps.count.outputs.ok',
    },
    {
      key: 'report',
      phase: 'VALIDATION',
      type: 'ARTIFACT',
      paths: ['out/*.txt'],
      artifactKind: 'report',
      logicalKey: 'listing',
    },
  ],
};

describe('a job from submission to its end', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem();
    await system.startWorker();
  });
  afterAll(() => system.close());

  it('runs the phases in order and writes a ledger that folds to the rows', async () => {
    const finished = await system.run(INVENTORY);
    expect(finished.job.status).toBe('COMPLETED');
    expect(finished.types).toEqual([
      ...['job.created', 'job.queued', 'job.started'],
      ...['phase.started', 'step.started', 'step.output', 'step.completed', 'checkpoint.created', 'phase.completed'],
      ...['phase.started', 'step.started', 'step.output', 'step.completed', 'phase.completed'],
      ...['phase.started', 'step.started', 'gate.started', 'gate.passed', 'step.completed'],
      ...['step.started', 'artifact.created', 'artifact.created', 'step.completed', 'phase.completed'],
      ...['phase.started', 'step.started', 'step.output', 'step.completed', 'phase.completed'],
      'job.completed',
    ]);
    expect(finished.step('count').outputs).toEqual({ files: '2', ratio: 0.5, ok: true });
    expect(finished.job.steps.map((step) => step.key)).toEqual(['files', 'count', 'enough', 'report', 'sweep']);
    expect(finished.job.progressPercent).toBe(100);
    const recordedHead = finished.job.head;
    expect(
      verifyChain(finished.events, { jobId: finished.job.id, workspaceId: system.workspaceId, recordedHead }),
    ).toMatchObject({ valid: true });
    expectRowsEqualFold(finished);
  });

  it('keeps the transcript and the artifacts under the digests that the ledger names', async () => {
    const finished = await system.run(INVENTORY);
    const output = finished.events.find(
      (event) => event.type === 'step.output' && event.stepId === finished.step('count').id,
    );
    const transcript = await text(await system.blobs.get(String(output?.payload?.['ref'])));
    expect(transcript.split('\n').sort()).toEqual(['', 'hello', 'oops']);
    const artifact = finished.events.find((event) => event.type === 'artifact.created');
    expect(artifact?.payload).toMatchObject({
      kind: 'report',
      logicalKey: 'listing/out/a.txt',
      path: 'out/a.txt',
      sizeBytes: 4,
    });
    expect(
      await text(
        await system.blobs.get(`${system.workspaceId}/artifacts/${String(artifact?.payload?.['artifactId'])}`),
      ),
    ).toBe('one\n');
  });

  it('counts the versions of an artifact up without gaps, however many jobs write it at once', async () => {
    const steps = [
      { key: 'make', type: 'COMMAND', run: 'echo x > x.txt' },
      { key: 'keep', type: 'ARTIFACT', paths: ['x.txt'], logicalKey: 'counted' },
    ];
    const runs = await Promise.all(Array.from({ length: 8 }, () => system.run({ name: 'versions', steps })));
    const created = runs.flatMap((run) => run.events.filter((event) => event.type === 'artifact.created'));
    expect(created.map((event) => event.payload?.['version']).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("gives the command its environment and none of the worker's", async () => {
    const steps = [{ key: 'show', type: 'COMMAND', env: { B: 'from step' }, run: 'env' }];
    const finished = await system.run({ name: 'environment', env: { A: 'from job', B: 'from job' }, steps });
    const output = finished.events.find((event) => event.type === 'step.output');
    const lines = (await text(await system.blobs.get(String(output?.payload?.['ref'])))).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'A=from job',
        'B=from step',
        `RUNLEDGER_JOB_ID=${finished.job.id}`,
        'RUNLEDGER_ATTEMPT=1',
      ]),
    );
    expect(lines.filter((line) => line.startsWith('NODE_OPTIONS') || line.startsWith('DATABASE'))).toEqual([]);
  });

  it('hands values to scripts as data, never as code', async () => {
    const finished = await system.run({
      name: 'injection',
      steps: [
        { key: 'say', type: 'COMMAND', run: `echo 'text=$(touch pwned); touch pwned' >> "$RUNLEDGER_OUTPUT"` },
        { key: 'use', type: 'COMMAND', run: 'echo "got: ${{ steps.say.outputs.text }}"; test ! -e pwned' },
      ],
    });
    expect(finished.job.status).toBe('COMPLETED');
    const outputs = finished.events.filter((event) => event.type === 'step.output');
    expect(await text(await system.blobs.get(String(outputs[1]?.payload?.['ref'])))).toBe(
      'got: $(touch pwned); touch pwned\n',
    );
  });

  it('leaves no workdir behind', async () => {
    const finished = await system.run({
      name: 'tidy',
      steps: [{ key: 'here', type: 'COMMAND', run: 'touch something' }],
    });
    await expect(readFile(`${system.dataDir}/workdirs/${finished.job.id}/something`)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
