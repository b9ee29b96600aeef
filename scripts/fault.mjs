/**
 * `npm run fault`: every fault, with hundreds of jobs, on both queues at once; figures as JSON lines and as a table in the end. Arguments go
 * to Jest (`npm run fault -- -t 'SIGSTOP'`). It ends itself after eight minutes. `npm test` runs a short version of the same.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './ensure.mjs';

const LONGEST_MS = 8 * 60_000;

const folder = mkdtempSync(join(tmpdir(), 'runledger-figures-'));
const figures = join(folder, 'figures.jsonl');
const tests = spawn(
  process.execPath,
  [join(root, 'scripts/test.mjs'), '--selectProjects', 'fault', '--maxWorkers=2', ...process.argv.slice(2)],
  { cwd: root, env: { ...process.env, FAULT_SCALE: 'long', FAULT_FIGURES: figures }, stdio: 'inherit' },
);
let late = false;
const bound = setTimeout(() => {
  late = true;
  tests.kill('SIGTERM');
}, LONGEST_MS);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => tests.kill('SIGTERM'));
tests.on('exit', (code, signal) => {
  clearTimeout(bound);
  printTable();
  rmSync(folder, { recursive: true, force: true });
  if (late)
    process.stderr.write(
      `stopped after ${LONGEST_MS / 60_000} minutes: what is missing above did not come to its end\n`,
    );
  process.exitCode = late || signal !== null ? 1 : (code ?? 1);
});

function printTable() {
  if (!existsSync(figures)) return;
  const rows = readFileSync(figures, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const columns = Object.keys(rows[0]);
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '-')))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index].length)));
  for (const row of cells)
    process.stdout.write(
      `${row
        .map((cell, index) => cell.padEnd(widths[index]))
        .join('  ')
        .trimEnd()}\n`,
    );
}
