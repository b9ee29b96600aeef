import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { collectFiles } from './collect-files.js';
import { openArtifact } from './open-artifact.js';

let folder: string;
let workdir: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collect-files-'));
  workdir = join(folder, 'workdir');
  write('workdir/report/index.md', 'report');
  write('workdir/report/data/a.json', '{}');
  write('workdir/report/.hidden.md', 'hidden');
  write('workdir/top.md', 'top');
  write('outside/secret.md', 'secret');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

async function paths(...patterns: string[]): Promise<string[]> {
  return (await collectFiles(workdir, patterns)).map((file) => file.path);
}

describe('collectFiles', () => {
  it('gives path, place and size, sorted and each file once', async () => {
    await expect(collectFiles(workdir, ['top.md', '**/*.md', 'report/data/*.json'])).resolves.toEqual([
      { path: 'report/data/a.json', absolutePath: join(workdir, 'report/data/a.json'), sizeBytes: 2 },
      { path: 'report/index.md', absolutePath: join(workdir, 'report/index.md'), sizeBytes: 6 },
      { path: 'top.md', absolutePath: join(workdir, 'top.md'), sizeBytes: 3 },
    ]);
  });

  it('finds names with a dot only where the pattern says the dot', async () => {
    await expect(paths('report/*.md')).resolves.toEqual(['report/index.md']);
    await expect(paths('report/.*.md')).resolves.toEqual(['report/.hidden.md']);
  });

  it('finds nothing where nothing is, and takes no folder for a file', async () => {
    await expect(paths('nothing/*', 'report')).resolves.toEqual([]);
  });

  it.each([
    '../outside/*',
    '/etc/passwd',
    'report/../../outside/*',
    '{..,report}/*',
    '{/etc,report}/*',
    '..',
    'a/..',
    '@(..)/outside/*',
    '~/x',
    '\\../x',
    '{a,../outside/*}',
  ])('refuses the pattern %s', async (pattern) => {
    await expect(paths('top.md', pattern)).rejects.toMatchObject({
      code: 'ARTIFACT_OUTSIDE_WORKDIR',
      details: { path: pattern },
    });
  });

  it('keeps names that only look like a way up', async () => {
    write('workdir/a..b/..c', 'fine');
    await expect(paths('a..b/..*')).resolves.toEqual(['a..b/..c']);
  });

  it('refuses a link to a file outside, by its name', async () => {
    symlinkSync('../../outside/secret.md', join(workdir, 'report/link.md'));
    await expect(paths('report/*.md')).rejects.toMatchObject({
      code: 'ARTIFACT_OUTSIDE_WORKDIR',
      details: { path: 'report/link.md' },
    });
    await expect(paths('top.md')).resolves.toEqual(['top.md']);
  });

  it('refuses a link to nowhere', async () => {
    symlinkSync('/not/there/yet', join(workdir, 'dangling.md'));
    await expect(paths('*.md')).rejects.toMatchObject({
      code: 'ARTIFACT_OUTSIDE_WORKDIR',
      details: { path: 'dangling.md' },
    });
  });

  it('never walks a link to a folder outside', async () => {
    symlinkSync('../outside', join(workdir, 'out'));
    await expect(paths('**/*.md')).resolves.toEqual(['report/index.md', 'top.md']);
    for (const pattern of ['out', 'out/*', 'out/secret.md', 'out/**', '*']) {
      await expect(paths(pattern)).rejects.toMatchObject({ code: 'ARTIFACT_OUTSIDE_WORKDIR' });
    }
  });

  it('takes a link to a file inside for that file', async () => {
    symlinkSync('report/index.md', join(workdir, 'latest.md'));
    await expect(collectFiles(workdir, ['latest.md'])).resolves.toMatchObject([{ path: 'latest.md', sizeBytes: 6 }]);
  });

  it('leaves pipes out', async () => {
    execFileSync('mkfifo', [join(workdir, 'pipe.md')]);
    await expect(paths('*.md')).resolves.toEqual(['top.md']);
  });

  it('says that the workdir is missing', async () => {
    await expect(collectFiles(join(folder, 'gone'), ['*'])).rejects.toMatchObject({ code: 'WORKDIR_MISSING' });
  });

  it('works in a workdir that is reached by a link', async () => {
    symlinkSync(workdir, join(folder, 'by-link'));
    await expect(collectFiles(join(folder, 'by-link'), ['top.md'])).resolves.toMatchObject([{ path: 'top.md' }]);
  });
});

describe('openArtifact', () => {
  it('reads the file', async () => {
    const { content, sizeBytes } = await openArtifact(workdir, 'report/index.md');
    expect(sizeBytes).toBe(6);
    await expect(text(content)).resolves.toBe('report');
  });

  it('refuses a file that became a link out, or whose folder did, since it was collected', async () => {
    await paths('report/*.md');
    rmSync(join(workdir, 'top.md'));
    symlinkSync('../outside/secret.md', join(workdir, 'top.md'));
    await expect(openArtifact(workdir, 'top.md')).rejects.toMatchObject({ code: 'ARTIFACT_OUTSIDE_WORKDIR' });
    renameSync(join(workdir, 'report'), join(workdir, 'moved'));
    symlinkSync('../outside', join(workdir, 'report'));
    await expect(openArtifact(workdir, 'report/secret.md')).rejects.toMatchObject({ code: 'ARTIFACT_OUTSIDE_WORKDIR' });
  });

  it('does not wait for a pipe, and says what is missing', async () => {
    execFileSync('mkfifo', [join(workdir, 'pipe')]);
    await expect(openArtifact(workdir, 'pipe')).rejects.toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
    await expect(openArtifact(workdir, 'gone')).rejects.toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
    await expect(openArtifact(workdir, '../outside/secret.md')).rejects.toMatchObject({
      code: 'ARTIFACT_OUTSIDE_WORKDIR',
    });
  });
});
