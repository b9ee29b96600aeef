import { relative, resolve } from 'node:path';
import ora from 'ora';
import type { Config } from '#config';
import { credentialsFile } from '../credentials.js';
import { EXIT } from '../failure.js';
import { widthOf, wrap } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';
import { startSystem, type RunningSystem } from './system.js';
import { systemLog } from './system-log.js';
import { untilSignal } from './until-signal.js';

/** Keeps the system up until a signal comes or it breaks. */
export async function runSystem(config: Config, terminal: Terminal, json: boolean): Promise<number> {
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
function summary(system: RunningSystem, config: Config, terminal: Terminal): string[] {
  const { bold, cyan, dim, green, yellow } = terminal.colors;
  const row = (name: string, value: string, remark = ''): string =>
    `  ${dim(name.padEnd(10))} ${value}${remark === '' ? '' : `  ${dim(remark)}`}`;
  const file = nearPath(credentialsFile(config.dataDir));
  // A folder that is not the default one has to be named again.
  const folder = config.dataDir === resolve('.runledger') ? '' : ` --data-dir ${nearPath(config.dataDir)}`;
  const isolation = sandboxWarning(system, config);
  const breakAt = terminal.interactive ? terminal.columns - 4 : Infinity;
  const warning = (text: string): string[] =>
    wrap(text, breakAt).map((line, index) => `  ${yellow(`${index === 0 ? '!' : ' '} ${line}`)}`);
  const lead = '  Submit a first job:';
  const submit = `npx runledger submit examples/hello.yaml --follow${folder}`;
  // A command is for copying: it is never broken by us.
  const fits = widthOf(`${lead}  ${submit}`) <= terminal.columns;
  return [
    '',
    `${green('✓')} ${bold('Runledger is ready')}`,
    '',
    row('API', cyan(system.url)),
    row('Docs', cyan(`${system.url}/docs`)),
    row('Queues', cyan(`${system.url}/admin/queues`), 'password: the API key'),
    row('Database', system.database, `queue on ${system.queue}`),
    row('Workspace', system.workspaceName, system.workspaceId),
    ...(system.isNew ? [row('API key', bold(system.apiKey), 'shown only this time')] : []),
    row(system.isNew ? '' : 'API key', dim(`kept in ${file}`)),
    ...(isolation === null ? [] : ['', ...warning(isolation)]),
    '',
    ...(fits ? [`${lead}  ${cyan(submit)}`] : [lead, `    ${cyan(submit)}`]),
    `  ${dim('Ctrl-C stops everything.')}`,
    '',
  ];
}

/** Said at every start: what a job's commands can do depends on it. */
function sandboxWarning(system: RunningSystem, config: Config): string | null {
  if (config.sandbox.driver === 'process') {
    return 'SANDBOX=process: the commands of jobs run WITHOUT isolation, with all rights of this user. Only for jobs that you trust.';
  }
  if (system.sandboxProblem === null) return null;
  return `Commands cannot run, steps of type COMMAND will fail with SANDBOX_UNAVAILABLE: ${system.sandboxProblem}`;
}

/** As short as it is unmistakable from here. */
function nearPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}
