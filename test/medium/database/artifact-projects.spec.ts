import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { migrate, rollback, withOwner } from '#database';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import { insertArtifact, insertJob, insertSeries, insertStep, insertWorkspace } from './rows.js';

const MIGRATION = '20261121120300_artifact_projects';
const BEFORE = readdirSync(join(import.meta.dirname, '../../../prisma/migrations'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name < MIGRATION)
  .map((entry) => entry.name)
  .sort()
  .at(-1);

/** What is in a database before projects of artifacts, and what becomes of it. */
describe('artifacts that are older than their projects', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await createTestDatabase({ empty: true })));
  afterAll(() => database.drop());

  const owner = <Result>(run: (client: pg.ClientBase) => Promise<Result>): Promise<Result> =>
    withOwner(database.ownerUrl, run);

  it('become series of no project that know their latest, and go back as long as no project has the same', async () => {
    await migrate(database.ownerUrl);
    expect(await rollback(database.ownerUrl, { to: BEFORE ?? '' })).toContain(MIGRATION);
    const { workspaceId, jobId, stepId, latest } = await owner(async (client) => {
      const workspace = await insertWorkspace(client);
      const job = await insertJob(client, workspace);
      const step = await insertStep(client, workspace, job);
      // The id of the later version is the smaller one: it was stored first and committed last.
      const [second, first] = [newId(), newId()];
      await insertArtifact(client, workspace, job, step, { id: first, path: '1' });
      await insertArtifact(client, workspace, job, step, { id: second, path: '2', version: 2 });
      await client.query("INSERT INTO artifact_series VALUES ($1, 'file', 'a', 2)", [workspace]);
      return { workspaceId: workspace, jobId: job, stepId: step, latest: second };
    });

    await migrate(database.ownerUrl);
    const read = (): Promise<unknown[]> =>
      owner(async (client) => (await client.query('SELECT * FROM artifact_series')).rows);
    const row = { workspace_id: workspaceId, kind: 'file', logical_key: 'a', latest_version: 2 };
    expect(await read()).toEqual([{ ...row, id: expect.any(String), project_id: null, latest_artifact_id: latest }]);
    await rollback(database.ownerUrl, { to: BEFORE ?? '' });
    expect(await read()).toEqual([row]);

    await migrate(database.ownerUrl);
    await owner(async (client) => {
      const project = { project_id: newId() };
      const artifactId = await insertArtifact(client, workspaceId, jobId, stepId, { path: '3', ...project });
      await insertSeries(client, workspaceId, artifactId, project);
    });
    await expect(rollback(database.ownerUrl, { to: BEFORE ?? '' })).rejects.toMatchObject({
      message: expect.stringContaining('cannot become one series'),
    });
    expect(await read()).toHaveLength(2);
  });
});
