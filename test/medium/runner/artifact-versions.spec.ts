import { Database, withOwner } from '#database';
import { newId } from '#kernel';
import { createTestDatabase, type TestDatabase } from '#testing';
import {
  insertArtifacts,
  type ArtifactFile,
  type ArtifactPlace,
} from '../../../libs/runner/src/store/artifact.rows.js';
import { insertJob, insertStep, insertWorkspace } from '../database/rows.js';

const WRITERS = 50;

describe('versions of artifacts', () => {
  let test: TestDatabase;
  let database: Database;
  let place: ArtifactPlace;
  beforeAll(async () => {
    test = await createTestDatabase();
    database = new Database({ url: test.workerUrl, role: 'worker', poolSize: WRITERS });
    place = await withOwner(test.ownerUrl, async (client) => {
      const workspaceId = await insertWorkspace(client);
      const jobId = await insertJob(client, workspaceId);
      return { workspaceId, projectId: null, jobId, stepId: await insertStep(client, workspaceId, jobId) };
    });
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
  });

  function file(logicalKey: string, kind = 'file'): ArtifactFile {
    const id = newId();
    const content = { mediaType: 'text/plain', sizeBytes: 1, sha256: 'a'.repeat(64) };
    return { id, kind, logicalKey, path: `${logicalKey}-${id}`, ...content, blobKey: `b/${id}` };
  }

  /** Fifty transactions that are all open before the first of them writes. The numbers of those that are to fail are rolled back. */
  async function atOnce(
    write: (writer: number) => [ArtifactFile[], ArtifactPlace],
    fails: (writer: number) => boolean,
  ) {
    let begun = 0;
    let start = (): void => undefined;
    const all = new Promise<void>((resolve) => (start = resolve));
    return Promise.allSettled(
      Array.from({ length: WRITERS }, (_, writer) =>
        database.transaction(async (client) => {
          begun += 1;
          if (begun === WRITERS) start();
          await all;
          const [files, where] = write(writer);
          const stored = await insertArtifacts(client, where, files);
          if (fails(writer)) throw new Error('rolled back');
          return stored;
        }),
      ),
    );
  }

  const series = (kind: string) =>
    database.query<{
      project_id: string | null;
      logical_key: string;
      latest: number;
      versions: number[];
      last: boolean;
    }>(
      `SELECT series.project_id, series.logical_key, series.latest_version AS latest, array_agg(artifact.version ORDER BY artifact.version) AS versions,
         bool_or(artifact.id = series.latest_artifact_id AND artifact.version = series.latest_version) AS last
       FROM artifact_series AS series JOIN artifacts AS artifact ON artifact.workspace_id = series.workspace_id AND artifact.kind = series.kind
         AND artifact.logical_key = series.logical_key AND artifact.project_id IS NOT DISTINCT FROM series.project_id
       WHERE series.kind = $1 GROUP BY series.id ORDER BY series.logical_key, series.project_id NULLS FIRST`,
      [kind],
    );
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

  it('of one series have neither gaps nor duplicates, although every third of fifty writers rolls back', async () => {
    const ended = await atOnce(
      () => [[file('one', 'single')], place],
      (writer) => writer % 3 === 0,
    );
    const given = ended.flatMap((one) => (one.status === 'fulfilled' ? one.value.map((stored) => stored.version) : []));
    const reasons = ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    expect(new Set(reasons)).toEqual(new Set(['Error: rolled back']));
    expect(given).toHaveLength(33);
    expect(given.sort((a, b) => a - b)).toEqual(upTo(33));
    expect(await series('single')).toMatchObject([{ logical_key: 'one', latest: 33, versions: upTo(33), last: true }]);
  });

  it('of many series that writers take in different orders come without a deadlock', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'ä', 'B', 'a/b'];
    const ended = await atOnce(
      (writer) => {
        const turned = [...keys.slice(writer % keys.length), ...keys.slice(0, writer % keys.length)];
        const order = writer % 2 === 0 ? turned : turned.reverse();
        return [order.map((key) => file(key, 'several')), place];
      },
      (writer) => writer % 5 === 0,
    );
    const reasons = ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    expect(new Set(reasons)).toEqual(new Set(['Error: rolled back']));
    const found = await series('several');
    expect(found.map((one) => one.logical_key).sort()).toEqual([...keys].sort());
    for (const one of found) expect(one).toMatchObject({ latest: 40, versions: upTo(40), last: true });
  });

  it('count by themselves in each project, and what has no project is one series', async () => {
    const [one, other] = [newId(), newId()].sort();
    const projects = [null, one ?? null, other ?? null];
    const ended = await atOnce(
      (writer) => [[file('same', 'projects')], { ...place, projectId: projects[writer % 3] ?? null }],
      () => false,
    );
    expect(ended.filter((each) => each.status === 'rejected')).toEqual([]);
    expect((await series('projects')).map(({ project_id, versions, last }) => [project_id, versions, last])).toEqual([
      [null, upTo(17), true],
      [one, upTo(17), true],
      [other, upTo(16), true],
    ]);
  });

  it('come back in the order of the files', async () => {
    const files = ['z', 'y', 'x'].map((key) => file(key, 'order'));
    const stored = await database.transaction((client) => insertArtifacts(client, place, files));
    expect(stored).toEqual(files.map((each) => ({ ...each, version: 1 })));
    expect(await database.transaction((client) => insertArtifacts(client, place, []))).toEqual([]);
  });
});
