import {
  approvalSubject,
  approvedArtifacts,
  approvedCommand,
  approvedTree,
  digestOf,
  type SubjectParts,
} from './approval-subject.js';

const NOTHING: SubjectParts = { summary: null, files: null, artifacts: null, command: null, definition: null };
const SHA = 'a'.repeat(64);

describe('the subject of an approval', () => {
  it('has another digest when any part of it is another', () => {
    const tree = approvedTree([{ path: 'a', sha256: SHA, sizeBytes: 1 }]);
    const artifact = { artifactId: 'x', kind: 'file', logicalKey: 'a', version: 1, sha256: SHA, sizeBytes: 1 };
    const command = (step: object, env: object, values: [string, string | null][]) =>
      approvedCommand('deploy', 'run', { ...step }, { ...env }, new Map(values));
    const subjects = [
      NOTHING,
      { ...NOTHING, summary: 'one' },
      { ...NOTHING, summary: 'two' },
      { ...NOTHING, files: tree },
      { ...NOTHING, definition: { sha256: tree.sha256 } },
      { ...NOTHING, files: approvedTree([{ path: 'b', sha256: SHA, sizeBytes: 1 }]) },
      { ...NOTHING, files: approvedTree([{ path: 'a', sha256: SHA, sizeBytes: 2 }]) },
      { ...NOTHING, artifacts: approvedArtifacts([artifact]) },
      { ...NOTHING, artifacts: approvedArtifacts([{ ...artifact, version: 2 }]) },
      { ...NOTHING, command: command({}, {}, []) },
      { ...NOTHING, command: command({ network: 'full' }, {}, []) },
      { ...NOTHING, command: command({}, { A: 'b' }, []) },
      { ...NOTHING, command: command({}, {}, [['x', null]]) },
      { ...NOTHING, command: command({}, {}, [['x', 'known']]) },
    ].map(approvalSubject);
    expect(new Set(subjects.map((subject) => subject.digest)).size).toBe(subjects.length);
  });

  it('has the same digest in whatever order the files were found', () => {
    const files = ['b', 'a/c', 'a', 'é', 'B'].map((path) => ({ path, sha256: SHA, sizeBytes: 3 }));
    expect(approvedTree([...files].reverse())).toEqual(approvedTree(files));
    expect(approvedTree(files).sha256).toBe(digestOf(['B', 'a', 'a/c', 'b', 'é'].map((path) => [path, SHA, 3])));
  });

  it('shows a bounded part and covers all of it', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      path: `${'x'.repeat(900)}${index}`,
      sha256: SHA,
      sizeBytes: 1,
    }));
    const tree = approvedTree(many);
    expect([tree.count, tree.listed.length]).toEqual([10_000, 18]);
    expect(approvedTree(many.slice(1)).sha256).not.toBe(tree.sha256);
    const values = new Map(Array.from({ length: 100 }, (_, index) => [`steps.a.outputs.o${index}`, 'y'.repeat(5_000)]));
    const command = approvedCommand('deploy', 'z'.repeat(200_000), {}, {}, values);
    expect(JSON.stringify(approvalSubject({ ...NOTHING, files: tree, command })).length).toBeLessThan(40_000);
  });

  it('can be stored whatever it holds', () => {
    const subject = approvalSubject({ ...NOTHING, summary: 'a\0b\ud800' });
    expect(subject.summary).toBe('a\uFFFDb\uFFFD');
  });
});
