import { relative } from 'node:path';
import type { Command } from 'commander';
import ora from 'ora';
import { childEnvironment, loadConfig, type Config } from '#config';
import { credentialsFile } from '../credentials.js';
import { dataDirOption } from '../connect.js';
import { EXIT, ExitWith } from '../failure.js';
import { startSystem, type RunningSystem } from '../supervisor/system.js';
import { systemLog } from '../supervisor/system-log.js';
import { untilSignal } from '../supervisor/until-signal.js';
import type { Terminal } from '../terminal/terminal.js';

interface StartOptions {
  port?: string;
  host?: string;
  dataDir: string;
  json?: boolean;
}

export function startCommand(program: Command, terminal: Terminal): void {
  program
    .command('start')
    .summary('start the whole system')
    .description(
      'Start the whole system and keep it running: database, API, one worker process per queue.\n' +
        'Without DATABASE_URL it brings its own PostgreSQL; without REDIS_URL the queue lives in the database.',
    )
    .option('-p, --port <number>', 'the port of the API; 0 chooses a free one (default: PORT or 3000)')
    .option('--host <address>', 'the address to listen on (default: HOST or 127.0.0.1)')
    .addOption(dataDirOption())
    .option('--json', 'when all is ready, print {"url","workspaceId","apiKey"} on standard output, and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger start\n  $ runledger start --port 0 --data-dir /tmp/trial --json\n  $ DATABASE_URL=postgres://... REDIS_URL=redis://... runledger start',
    )
    .action(async (options: StartOptions) => {
      const config = loadConfig(
        childEnvironment({ DATA_DIR: options.dataDir, ...given('PORT', options.port), ...given('HOST', options.host) }),
      );
      const exitCode = await runSystem(config, terminal, options.json === true);
      throw new ExitWith(exitCode);
    });
}

/** Keeps the system up until a signal comes or it breaks. */
async function runSystem(config: Config, terminal: Terminal, json: boolean): Promise<number> {
  const log = systemLog(terminal, { pretty: !json && process.stderr.isTTY === true, level: config.log.level });
  const signal = untilSignal();
  const system = await startWithSpinner(config, terminal, log, json);
  if (json) terminal.json({ url: system.url, workspaceId: system.workspaceId, apiKey: system.apiKey });
  else summary(system, config, terminal).forEach((line) => terminal.line(line));

  const end = await Promise.race([signal.first, system.broken]);
  if (end instanceof Error) log.say('supervisor', 'error', `${end.message}; stopping`);
  else
    log.say(
      'supervisor',
      'info',
      `${end}: stopping; running steps have ${config.runner.graceMs / 1_000} s (once more to stop at once)`,
    );
  const forced = await Promise.race([system.stop().then(() => false), signal.second.then(() => true)]);
  if (forced) {
    system.kill();
    log.say('supervisor', 'warn', 'stopped at once');
    return EXIT.failed;
  }
  log.say('supervisor', 'info', 'stopped');
  return end instanceof Error ? EXIT.failed : EXIT.ok;
}

async function startWithSpinner(
  config: Config,
  terminal: Terminal,
  log: ReturnType<typeof systemLog>,
  json: boolean,
): Promise<RunningSystem> {
  if (json || process.stderr.isTTY !== true) return startSystem(config, log);
  const spinner = ora({ text: 'Starting the database, the API and the workers', discardStdin: false }).start();
  try {
    return await startSystem(config, log);
  } finally {
    spinner.stop();
  }
}

/** What a person needs to know to go on. */
export function summary(system: RunningSystem, config: Config, terminal: Terminal): string[] {
  const { bold, cyan, dim, green, yellow } = terminal.colors;
  const row = (name: string, value: string, remark = ''): string =>
    `  ${dim(name.padEnd(10))} ${value}${remark === '' ? '' : `  ${dim(remark)}`}`;
  const file = relative(process.cwd(), credentialsFile(config.dataDir));
  const isolation = sandboxWarning(system, config);
  return [
    '',
    `${green('✓')} ${bold('Runledger is ready')}`,
    '',
    row('API', cyan(system.url)),
    row('Docs', cyan(`${system.url}/docs`)),
    row('Queues', cyan(`${system.url}/admin/queues`), 'any user name, the API key as password'),
    row('Database', system.database, `queue on ${system.queue}`),
    row('Workspace', system.workspaceName, system.workspaceId),
    ...(system.isNew ? [row('API key', bold(system.apiKey), 'shown only this time')] : []),
    row(system.isNew ? '' : 'API key', dim(`kept in ${file}`)),
    ...(isolation === null ? [] : ['', ...isolation.map((line) => `  ${yellow(line)}`)]),
    '',
    `  Submit a first job:  ${cyan('npx runledger submit examples/hello.yaml --follow')}`,
    `  ${dim('Ctrl-C stops everything.')}`,
    '',
  ];
}

/** Said at every start: what a job's commands can do depends on it. */
function sandboxWarning(system: RunningSystem, config: Config): string[] | null {
  if (config.sandbox.driver === 'process') {
    return [
      '! SANDBOX=process: the commands of jobs run WITHOUT isolation, with all rights of',
      '  this user. Only for jobs that you trust.',
    ];
  }
  if (system.sandboxProblem === null) return null;
  return [
    '! Commands cannot run: steps of type COMMAND will fail with SANDBOX_UNAVAILABLE.',
    `  ${system.sandboxProblem}`,
  ];
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
