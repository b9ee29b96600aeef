import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunledgerClient, type Artifact, type JobEvent } from '#client';
import { childEnvironment, loadConfig, type Config } from '#config';
import { createSandboxDriver } from '#sandbox';
import { downloadArtifact } from '../artifact-files.js';
import { stepKeys } from '../commands/ledger.commands.js';
import { followToEnd } from '../follow/follow.js';
import { startSystem } from '../supervisor/system.js';
import { systemLog } from '../supervisor/system-log.js';
import { cleanLine, formatBytes, formatDuration, wrap } from '../terminal/format.js';
import { ledgerTable, verifyLines } from '../terminal/job-text.js';
import type { Terminal } from '../terminal/terminal.js';
import { demoJob, type DemoJob } from './demo-job.js';

const REPORT_LINES = 16;

/**
 * The main job of Runledger, end to end, over the same code as `start`, `submit --follow`, `events` and `verify`; in a folder of its
 * own that is gone afterwards.
 * @throws whatever went wrong; the job not completing and the ledger not verifying are failures too
 */
export async function runDemo(terminal: Terminal): Promise<void> {
  const { bold, dim, yellow } = terminal.colors;
  const job = await demoJob();
  const folder = await mkdtemp(join(tmpdir(), 'runledger-demo-'));
  try {
    terminal.line();
    terminal.line(`${bold('Runledger demo')}  ${dim(`takes an inventory of ${job.checkout}`)}`);
    const { config, warning } = await demoConfig(folder, job);
    if (warning !== null) terminal.line(yellow(warning));
    await runOn(config, job, terminal, folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function runOn(config: Config, { definition }: DemoJob, terminal: Terminal, folder: string): Promise<void> {
  const { bold, dim, green, cyan } = terminal.colors;
  const startedAt = Date.now();
  const log = systemLog(terminal, { pretty: true, level: config.log.level });
  const system = await startSystem(config, log);
  try {
    const ready = `PostgreSQL, API and worker are up at ${system.url}`;
    terminal.line(`${green('✓')} ${ready} ${dim(`in ${formatDuration(Date.now() - startedAt)}`)}`);
    const client = new RunledgerClient({ baseUrl: system.url, apiKey: system.apiKey, workspaceId: system.workspaceId });
    const job = await client.submit(definition);
    const status = await Promise.race([followToEnd(client, job, terminal, false), system.broken]);
    if (status instanceof Error) throw status;
    if (status !== 'COMPLETED') throw new Error(`the demo's job ended as ${status}; what went wrong is above`);

    const artifacts: Artifact[] = [];
    for await (const artifact of client.artifacts(job.id)) artifacts.push(artifact);
    await showReport(client, artifacts, terminal, join(folder, 'downloads'));

    const events: JobEvent[] = [];
    for await (const event of client.events(job.id)) events.push(event);
    terminal.line();
    terminal.line(
      `${bold(cyan('LEDGER'))}  ${dim('every fact about the job, each bound to the one before by its hash')}`,
    );
    ledgerTable(events, await stepKeys(client, job.id), terminal.columns, terminal.colors).forEach((line) =>
      terminal.line(line),
    );

    const report = await client.verify(job.id);
    terminal.line();
    verifyLines(report, terminal.colors).forEach((line) => terminal.line(line));
    if (!report.valid || !report.fold.matches) throw new Error('the ledger does not verify');
  } finally {
    await system.stop();
  }
  terminal.line(
    `${green('✓')} everything stopped, nothing left behind  ${dim(`${formatDuration(Date.now() - startedAt)} in all`)}`,
  );
  terminal.line();
  terminal.line(`Next: ${cyan('npm start')}, and in another terminal`);
  terminal.line(`      ${cyan('npx runledger submit examples/hello.yaml --follow')}`);
}

async function showReport(
  client: RunledgerClient,
  artifacts: Artifact[],
  terminal: Terminal,
  folder: string,
): Promise<void> {
  const { bold, dim, cyan } = terminal.colors;
  const report = artifacts.find((artifact) => artifact.path.endsWith('.md'));
  if (report === undefined) throw new Error('the job kept no report');
  const lines = (await readFile(await downloadArtifact(client, report, folder), 'utf8')).trimEnd().split('\n');
  terminal.line();
  terminal.line(
    `${bold(cyan('REPORT'))}  ${dim(`${report.path}, ${formatBytes(report.sizeBytes)}, as it was downloaded and checked`)}`,
  );
  const breakAt = terminal.interactive ? terminal.columns - 2 : Infinity;
  for (const line of lines.slice(0, REPORT_LINES).flatMap((each) => wrap(cleanLine(each), breakAt)))
    terminal.line(`${dim('│')} ${line}`.trimEnd());
  if (lines.length > REPORT_LINES) terminal.line(dim(`│ … and ${lines.length - REPORT_LINES} more lines`));
}

/** Everything embedded, whatever the environment says; isolation as usual, or none where the host has none, said aloud. */
async function demoConfig(folder: string, job: DemoJob): Promise<{ config: Config; warning: string | null }> {
  const embedded = {
    DATA_DIR: folder,
    DATABASE_URL: undefined,
    DATABASE_OWNER_URL: undefined,
    REDIS_URL: undefined,
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'error',
    SANDBOX_READ_ONLY_PATHS: job.readOnlyPaths.join(':'),
  };
  const config = loadConfig(childEnvironment(embedded));
  if (config.sandbox.driver === 'process')
    return { config, warning: '! SANDBOX=process: the commands of the demo run without isolation.' };
  const problem = await createSandboxDriver(config.sandbox.driver, { docker: config.sandbox.docker }).unavailable();
  if (problem === null) return { config, warning: null };
  const unprotected: Config = { ...config, sandbox: { ...config.sandbox, driver: 'process' } };
  return {
    config: unprotected,
    warning: `! No isolation on this host, so the demo's commands run without it (SANDBOX=process):\n  ${problem}`,
  };
}
