import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDefinition } from '../definition-file.js';
import { UsageError } from '../failure.js';

/** What the demo works on. */
export interface DemoJob {
  definition: Record<string, unknown>;
  /** The checkout, as a person knows it. */
  checkout: string;
  /** What the sandbox has to let the job read. */
  readOnlyPaths: string[];
}

/**
 * The inventory of this very checkout.
 * @throws UsageError where there is no git, or Runledger is not in a git checkout
 */
export async function demoJob(): Promise<DemoJob> {
  const checkout = realpathSync(fileURLToPath(new URL('../../../../../', import.meta.url)));
  // The git folder is elsewhere in a worktree or a submodule, and in two places: its own and the one it shares.
  const gitFolders = ['--absolute-git-dir', '--git-common-dir'].map((flag) => {
    const answer = git(checkout, ['rev-parse', flag]);
    return realpathSync(isAbsolute(answer) ? answer : resolve(checkout, answer));
  });
  if (git(checkout, ['ls-files', '--', 'examples/demo/source-inventory.yaml']) === '') throw notACheckout(checkout);
  const file = join(checkout, 'examples/demo/source-inventory.yaml');
  const { value } = await readDefinition(file);
  const outside = gitFolders.filter((folder) => !folder.startsWith(checkout));
  return {
    definition: { ...(value as Record<string, unknown>), env: { SOURCE: checkout } },
    checkout,
    readOnlyPaths: [checkout, ...new Set(outside)],
  };
}

function git(checkout: string, args: string[]): string {
  const result = spawnSync('git', ['-c', 'safe.directory=*', '-C', checkout, ...args], { encoding: 'utf8' });
  if (result.error !== undefined) throw new UsageError('the demo needs git, which is not on the PATH');
  if (result.status !== 0) throw notACheckout(checkout);
  return result.stdout.trim();
}

function notACheckout(checkout: string): UsageError {
  return new UsageError(
    `the demo takes an inventory of the files that git tracks, and ${checkout} is no git checkout of Runledger`,
    ['Get one with "git clone" and run "npm run demo" there. Everything else works here too: "npm start".'],
  );
}
