/**
 * `npm test`: installs and builds where needed, then runs every test. Arguments go to Jest (`npm test -- --selectProjects unit`).
 * The last line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureReady, fail, linkCommand, root } from './ensure.mjs';

ensureReady();
linkCommand();

const folder = mkdtempSync(join(tmpdir(), 'runledger-test-'));
const outputFile = join(folder, 'result.json');
const jest = spawn(
  process.execPath,
  ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${outputFile}`, ...process.argv.slice(2)],
  {
    cwd: root,
    env: {
      ...process.env,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim(),
    },
    // --json prints the result a second time, on standard output; the report for people is on standard error.
    stdio: ['inherit', 'ignore', 'inherit'],
  },
);
// The terminal sends Ctrl-C to both: Jest ends first, so that its result and its children are not left behind.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => jest.kill('SIGTERM'));
jest.on('error', (error) => fail(error.message));
jest.on('exit', (code, signal) => {
  const summary = readResult();
  rmSync(folder, { recursive: true, force: true });
  if (summary === null) fail(`the tests did not run to their end${signal === null ? '' : ` (${signal})`}`);
  process.stdout.write(`${summary.passed} passed, ${summary.failed} failed\n`);
  process.exit(code ?? 1);
});

function readResult() {
  try {
    const result = JSON.parse(readFileSync(outputFile, 'utf8'));
    // A suite that does not even load has no failed test in it, and has failed all the same.
    return { passed: result.numPassedTests, failed: result.numFailedTests + result.numRuntimeErrorTestSuites };
  } catch {
    return null;
  }
}
