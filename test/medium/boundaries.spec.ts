import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../..');
/** The tool takes two seconds; a machine that is busy with other suites may need a lot more. */
const PATIENCE_MS = 120_000;
const configuration = resolve(repository, '.dependency-cruiser.cjs');

interface Violation {
  from: string;
  to: string;
  rule: { name: string };
}

/** Runs the tool as `npm run boundaries` does, over a tree of fixtures that is laid out like the repository. */
function violationsIn(tree: string): Record<string, string[]> {
  const tool = resolve(repository, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const result = spawnSync(
    process.execPath,
    [tool, '--config', configuration, '--output-type', 'json', 'apps', 'libs'],
    { cwd: resolve(repository, 'test/fixtures/boundaries', tree), encoding: 'utf8', env: {} },
  );
  const report: { summary: { violations: Violation[]; totalCruised: number } } = JSON.parse(result.stdout);
  expect(report.summary.totalCruised).toBeGreaterThan(10);

  const byRule: Record<string, string[]> = {};
  for (const { from, to, rule } of report.summary.violations) {
    (byRule[rule.name] ??= []).push(`${from} -> ${to.replace(/^.*node_modules\//, '')}`);
  }
  for (const found of Object.values(byRule)) found.sort();
  return byRule;
}

describe('the boundaries between apps and libs', () => {
  it(
    'are silent over a tree that keeps them',
    () => {
      expect(violationsIn('right')).toEqual({});
    },
    PATIENCE_MS,
  );

  describe('over a tree that breaks each of them', () => {
    let found: Record<string, string[]>;
    beforeAll(() => {
      found = violationsIn('wrong');
    }, PATIENCE_MS);

    it('fire every rule there is', () => {
      const { forbidden }: { forbidden: { name: string }[] } = createRequire(import.meta.url)(configuration);
      expect(Object.keys(found).sort()).toEqual(forbidden.map((rule) => rule.name).sort());
    });

    it.each([
      // by #name
      ['kernel-depends-on-nothing', ['libs/kernel/src/pure.ts -> libs/config/src/index.ts']],
      ['infrastructure-below-domains', ['libs/database/src/index.ts -> libs/runner/src/index.ts']],
      ['config-depends-on-kernel-only', ['libs/config/src/index.ts -> libs/database/src/index.ts']],
      ['client-depends-on-kernel-only', ['libs/client/src/index.ts -> libs/runner/src/index.ts']],
      ['testing-is-for-tests', ['libs/sandbox/src/index.ts -> libs/testing/src/index.ts']],
      ['unresolvable', ['libs/sandbox/src/index.ts -> #runner/inside']],
      [
        'edges-never-touch-the-database',
        [
          'apps/api/src/jobs.controller.ts -> libs/database/src/index.ts',
          'apps/worker/src/runner.processor.ts -> pg/esm/index.mjs',
        ],
      ],
      // by path
      ['libs-never-import-apps', ['libs/runner/src/index.ts -> apps/api/src/main.ts']],
      ['apps-never-import-each-other', ['apps/api/src/main.ts -> apps/worker/src/main.ts']],
      ['only-through-the-barrel', ['libs/artifacts/src/index.ts -> libs/runner/src/inside.ts']],
      [
        'libs-by-their-name',
        [
          'libs/artifacts/src/index.ts -> libs/runner/src/inside.ts',
          'libs/identity/src/index.ts -> libs/runner/src/index.ts',
        ],
      ],
      // packages
      ['swagger-belongs-to-the-api', ['libs/runner/src/inside.ts -> @nestjs/swagger/dist/index.d.ts']],
      ['no-development-dependencies', ['libs/queue/src/index.ts -> fast-check/lib/fast-check.d.ts']],
      // the whole graph
      ['no-dead-files', ['libs/runner/src/dead.ts -> libs/runner/src/dead.ts']],
    ])('%s', (rule, expected) => {
      expect(found[rule]).toEqual(expected);
    });

    it('no-circles, inside a lib and across libs', () => {
      expect(found['no-circles']).toEqual([
        'apps/api/src/jobs.controller.ts -> libs/database/src/index.ts',
        'libs/ledger/src/first.ts -> libs/ledger/src/second.ts',
      ]);
    });
  });
});
