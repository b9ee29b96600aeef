import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parse } from 'yaml';
import { ERROR_CODES } from '#kernel';
import { parseJobDefinition } from '#runner';

const repository = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');

const documents = [
  ...readdirSync(repository).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const examples = ['examples', 'examples/demo', 'docs/examples'].flatMap((folder) =>
  readdirSync(join(repository, folder))
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .map((name) => join(folder, name)),
);

/** Blocks of YAML whose first line is a comment that begins with `job`: whole definitions, for readers to copy. */
function jobsIn(document: string): { text: string; file: string | undefined }[] {
  return [...read(document).matchAll(/^```ya?ml\n(# job\b:? *(\S*)\n[\s\S]*?)^```$/gm)].map(([, text = '', file]) => ({
    text,
    file: file === '' ? undefined : file,
  }));
}

/** GitHub's anchors of a document's headings. */
function anchorsOf(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the jobs that people are shown', () => {
  const shown = documents.flatMap((document) =>
    jobsIn(document).map((job, index) => ({ ...job, at: `${document} (${index + 1})` })),
  );

  it('are found', () => {
    expect(shown.map((job) => job.at)).toEqual(
      expect.arrayContaining(['README.md (1)', 'docs/jobs.md (1)', 'docs/jobs.md (2)']),
    );
    expect(examples).toEqual(expect.arrayContaining(['examples/hello.yaml', 'docs/examples/first-job.yaml']));
  });

  it.each(shown)('$at is accepted', ({ text }) => {
    expect(parseJobDefinition(parse(text)).steps.length).toBeGreaterThan(0);
  });

  it.each(shown.filter((job) => job.file !== undefined))('$at is the file that it names', ({ text, file }) => {
    expect(text).toBe(read(file ?? ''));
  });

  it.each(examples)('%s is accepted', (file) => {
    expect(parseJobDefinition(parse(read(file))).steps.length).toBeGreaterThan(0);
  });
});

describe('the documents', () => {
  it.each(documents)('%s links to nothing that is missing', (document) => {
    const links = [...read(document).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : relative(repository, resolve(repository, dirname(document), path));
      if (!existsSync(join(repository, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('configuration.md has every variable that is read, and no other', () => {
    const source = read('libs/config/src/load-config.ts');
    const variables = [...source.matchAll(/read\s*\.\w+\(\s*'([A-Z][A-Z0-9_]*)'/g)].map(([, name = '']) => name);
    const documented = [...read('docs/configuration.md').matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map(
      ([, name = '']) => name,
    );
    expect(variables.length).toBeGreaterThan(10);
    expect(documented.sort()).toEqual(variables.sort());
  });

  it('api.md has every error code, and no other', () => {
    const tables = read('docs/api.md').split('## Errors')[1]?.split('\n## ')[0] ?? '';
    const documented = [...tables.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`/g)].map(([, code = '']) => code);
    expect([...new Set(documented)].sort()).toEqual([...ERROR_CODES].sort());
  });

  it('jobs.md has every field of a definition', () => {
    const folder = 'libs/runner/src/definition';
    const shapes = readdirSync(join(repository, folder)).filter((name) => name.endsWith('.dto.ts'));
    const fields = shapes.flatMap((file) =>
      [...read(`${folder}/${file}`).matchAll(/^ {2}(\w+)[!?]: /gm)].map(([, name = '']) => name),
    );
    const text = read('docs/jobs.md');
    expect(fields.length).toBeGreaterThan(50);
    expect(fields.filter((field) => !new RegExp(`\`([a-zA-Z]+\\.)?${field}\``).test(text))).toEqual([]);
  });
});
