/**
 * The built program, from outside: starts the whole system in an empty folder, submits the example jobs with the built command line,
 * verifies them, and stops it. Prints one line per check and `N passed, N failed`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = join(root, 'dist/apps/cli/src/main.js');
const dataDir = mkdtempSync(join(tmpdir(), 'runledger-smoke-'));
const counts = { passed: 0, failed: 0 };

async function check(name, action) {
  try {
    await action();
    counts.passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    counts.failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}

function expect(truth, message) {
  if (!truth) throw new Error(message);
}

/** As `submit --follow`, for a job that waits for a person. */
async function submitAndApprove(file, approvals, authorization) {
  const [{ id }] = runledger('submit', file).output;
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const { items } = JSON.parse((await get(`${approvals}?jobId=${id}`, authorization)).text);
    if (items.length > 0) {
      expect(runledger('approve', items[0].id).code === 0, 'the approval was refused');
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { code, stderr } = runledger('follow', id);
  return { code, stderr, output: [{ job: runledger('jobs', 'show', id).output[0] }] };
}

/** Runs the command line with --json and gives its exit code and the JSON lines that it printed. */
function runledger(...args) {
  const result = spawnSync(process.execPath, [program, ...args, '--data-dir', dataDir, '--json'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  return { code: result.status, output: lines.map((line) => JSON.parse(line)), stderr: result.stderr };
}

async function get(url, headers = {}) {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  return { status: response.status, text: await response.text() };
}

async function main() {
  const system = spawn(process.execPath, [program, 'start', '--port', '0', '--data-dir', dataDir, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  system.stderr.on('data', (chunk) => (log += chunk));
  const exited = once(system, 'exit');
  try {
    const lines = createInterface({ input: system.stdout });
    const timeout = setTimeout(() => system.kill('SIGKILL'), 120_000);
    const [line] = await Promise.race([once(lines, 'line'), exited.then(() => [])]);
    clearTimeout(timeout);
    await check('start says where it is', () => expect(line !== undefined, `it ended before it was ready\n${log}`));
    if (line === undefined) return;
    await use(JSON.parse(line));
    await check('SIGTERM stops it in order', async () => {
      system.kill('SIGTERM');
      const [code] = await Promise.race([
        exited,
        new Promise((done) => setTimeout(done, 60_000, ['nothing within 60 s']).unref()),
      ]);
      expect(code === 0, `it ended with ${code}\n${log.slice(-2_000)}`);
    });
  } finally {
    if (system.exitCode === null && system.signalCode === null) system.kill('SIGKILL');
  }
}

async function use({ url, workspaceId, apiKey }) {
  const authorization = { authorization: `Bearer ${apiKey}` };
  for (const path of ['/health/live', '/health/ready', '/metrics', '/openapi.json', '/docs']) {
    await check(`GET ${path}`, async () => {
      const { status } = await get(url + path);
      expect(status === 200, `it answers ${status}`);
    });
  }
  await check('a key opens its workspace, no key opens nothing', async () => {
    const jobs = `${url}/v1/workspaces/${workspaceId}/runner-jobs`;
    expect((await get(jobs, authorization)).status === 200, 'the key is refused');
    expect((await get(jobs)).status === 401, 'no key is needed');
  });
  const files = ['examples', 'docs/examples'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => `${folder}/${name}`),
  );
  for (const file of files) {
    await check(`${file} completes and verifies`, async () => {
      const asks = readFileSync(join(root, file), 'utf8').includes('approval:');
      const submitted = asks
        ? await submitAndApprove(file, `${url}/v1/workspaces/${workspaceId}/approvals`, authorization)
        : runledger('submit', file, '--follow');
      const job = submitted.output.at(-1)?.job;
      expect(
        submitted.code === 0,
        `submit ended with ${submitted.code}: ${JSON.stringify(job?.error)} ${submitted.stderr}`,
      );
      const verified = runledger('verify', job.id);
      expect(verified.code === 0, `verify ended with ${verified.code}: ${JSON.stringify(verified.output)}`);
    });
  }
  await check('the list has every job', () => {
    const { code, output } = runledger('jobs', 'list');
    expect(code === 0 && output.length === files.length, `${output.length} jobs, exit code ${code}`);
  });
}

try {
  await main();
} catch (error) {
  counts.failed += 1;
  console.log(`FAILED  ${error.stack}`);
}
rmSync(dataDir, { recursive: true, force: true });
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
