/**
 * The gates that a change must pass: format, lint, types, boundaries, unit tests. Two run at a time; a gate that passes is one
 * line, a gate that fails shows its output at the end. `npm run check lint types` runs only those.
 * The last line counts gates: `5 passed, 0 failed`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const atOnce = 2;

/** Name, the tool's script, its arguments; the slow ones first, so that the quick ones fill the gaps. */
const gates = [
  { name: 'lint', tool: 'eslint/bin/eslint.js', args: ['--max-warnings=0', '.'] },
  { name: 'types', tool: 'typescript/bin/tsc', args: ['--noEmit', '-p', '.'] },
  {
    name: 'unit',
    tool: 'jest/bin/jest.js',
    args: ['--selectProjects', 'unit', '--maxWorkers=2'],
    nodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    summary: /^Tests:\s+(.*)$/m,
  },
  { name: 'format', tool: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level=warn', '.'] },
  {
    name: 'boundaries',
    tool: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: ['--config', '.dependency-cruiser.cjs', 'apps', 'libs'],
  },
];

/** Runs one gate to its end; never rejects. */
function run(gate) {
  const startedAt = performance.now();
  const args = [...(gate.nodeArgs ?? []), join(root, 'node_modules', gate.tool), ...gate.args];
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => done({ gate, passed: false, output: `${error.message}\n`, seconds: 0 }));
    child.on('close', (code) => {
      const seconds = (performance.now() - startedAt) / 1000;
      done({ gate, passed: code === 0, output, seconds });
    });
  });
}

function report({ gate, passed, output, seconds }) {
  const note = gate.summary?.exec(output)?.[1] ?? '';
  console.log(
    `${passed ? 'ok    ' : 'FAILED'} ${gate.name.padEnd(11)}${seconds.toFixed(1).padStart(5)} s  ${note}`.trimEnd(),
  );
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !gates.some((gate) => gate.name === name));
if (unknown.length > 0) {
  console.error(`no such gate: ${unknown.join(', ')}. There are ${gates.map((gate) => gate.name).join(', ')}.`);
  process.exit(2);
}

// Types and unit tests need the generated database client.
const generated = spawnSync(process.execPath, [join(root, 'scripts/generate.mjs')], { cwd: root, stdio: 'inherit' });
if (generated.status !== 0) process.exit(1);

const waiting = gates.filter((gate) => wanted.length === 0 || wanted.includes(gate.name));
const results = [];
async function work() {
  for (let gate = waiting.shift(); gate !== undefined; gate = waiting.shift()) {
    const result = await run(gate);
    report(result);
    results.push(result);
  }
}
await Promise.all(Array.from({ length: atOnce }, work));

const failed = results.filter((result) => !result.passed);
for (const { gate, output } of failed) console.log(`\n--- ${gate.name} ---\n${output.trimEnd()}`);
console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
