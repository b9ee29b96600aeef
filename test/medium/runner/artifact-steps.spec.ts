import { newId } from '#kernel';
import { startRunnerSystem, type RunnerSystem } from './runner-system.js';

describe('what ARTIFACT steps keep', () => {
  let system: RunnerSystem;
  beforeAll(async () => {
    system = await startRunnerSystem();
    await system.startWorker();
  });
  afterAll(() => system.close());

  const keep = (changes: object): object => ({ key: 'keep', type: 'ARTIFACT', paths: ['x.txt'], ...changes });
  const make = (run: string): object => ({ key: 'make', type: 'COMMAND', run });

  it('counts its versions in the project of the job', async () => {
    const projectId = newId();
    const steps = [make('echo x > x.txt'), keep({ logicalKey: 'counted' })];
    const versions = async (changes: object): Promise<unknown> => {
      const { events, job } = await system.run({ name: 'versions', steps, ...changes });
      expect(job.status).toBe('COMPLETED');
      return events.find((event) => event.type === 'artifact.created')?.payload?.['version'];
    };
    expect([await versions({}), await versions({ projectId }), await versions({ projectId })]).toEqual([1, 1, 2]);
    const rows = await system.sql('SELECT project_id, latest_version FROM artifact_series ORDER BY latest_version');
    expect(rows).toEqual([
      { project_id: null, latest_version: 1 },
      { project_id: projectId, latest_version: 2 },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['too much', 'x'.repeat(201)],
  ])('fails where the logical key gives %s', async (_, value) => {
    const steps = [
      make(`echo x > x.txt; echo 'name=${value}' >> "$RUNLEDGER_OUTPUT"`),
      keep({ logicalKey: '${{ steps.make.outputs.name }}' }),
    ];
    const { job } = await system.run({ name: 'names', steps });
    expect(job.error).toMatchObject({ code: 'EXPRESSION_FAILED', message: expect.stringContaining('1 to 200') });
  });

  it('fails where a path is too long to be kept', async () => {
    const folder = 'd'.repeat(200);
    const path = Array.from({ length: 6 }, () => folder).join('/');
    const steps = [make(`mkdir -p ${path}; echo x > ${path}/x.txt`), keep({ paths: ['**/x.txt'] })];
    const { job } = await system.run({ name: 'long', steps });
    expect(job.error).toMatchObject({ code: 'ARTIFACT_TOO_LARGE', message: expect.stringContaining('1024 bytes') });
  });
});
