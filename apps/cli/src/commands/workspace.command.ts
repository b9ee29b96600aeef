import { InvalidArgumentError, type Command } from 'commander';
import type { Workspace, WorkspaceChange } from '#client';
import { addServerOptions, connect, type ServerOptions } from '../connect.js';
import { UsageError } from '../failure.js';
import { cleanLine } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';

export function workspaceCommand(program: Command, terminal: Terminal): void {
  const workspace = program
    .command('workspace')
    .summary('what is decided for the whole workspace')
    .description('Look at what is decided for the whole workspace, or change it.');
  addServerOptions(workspace.command('show'))
    .description('Show the settings of the workspace.')
    .addHelpText('after', '\nExamples:\n  $ runledger workspace show')
    .action(async (options: ServerOptions) => {
      const client = await connect(options);
      tell(await client.getWorkspace(), options, terminal);
    });
  setCommand(workspace, terminal);
}

interface SetOptions extends ServerOptions {
  maxRunningJobs?: number | 'none';
  requireFourEyes?: boolean;
  allowNetwork?: boolean;
  ifVersion?: number;
}

function setCommand(workspace: Command, terminal: Terminal): void {
  addServerOptions(workspace.command('set'))
    .description('Change settings of the workspace; what is not named stays. Needs a key with the scope admin.')
    .option('--max-running-jobs <number>', 'jobs that run at a time, or "none" for no limit', parseMaxRunning)
    .option('--require-four-eyes', 'the key that submitted a job may not decide about its approvals')
    .option('--no-require-four-eyes', 'it may')
    .option('--allow-network', 'steps may ask for the network')
    .option('--no-allow-network', 'they may not')
    .option('--if-version <number>', 'only if the workspace has this version, as show tells it', parseVersion)
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger workspace set --max-running-jobs 20\n  $ runledger workspace set --allow-network --require-four-eyes',
    )
    .action(async (options: SetOptions) => {
      const { maxRunningJobs, requireFourEyes, allowNetwork } = options;
      const change: WorkspaceChange = {
        ...(maxRunningJobs === undefined ? {} : { maxRunningJobs: maxRunningJobs === 'none' ? null : maxRunningJobs }),
        ...(requireFourEyes === undefined ? {} : { requireFourEyes }),
        ...(allowNetwork === undefined ? {} : { allowNetwork }),
      };
      if (Object.keys(change).length === 0) throw new UsageError('name at least one setting to change');
      const client = await connect(options);
      tell(await client.changeWorkspace(change, options.ifVersion), options, terminal);
    });
}

function tell(workspace: Workspace, options: ServerOptions, terminal: Terminal): void {
  if (options.json === true) return terminal.json(workspace);
  const { bold, dim } = terminal.colors;
  terminal.line(`${bold(cleanLine(workspace.name))}  ${dim(`${workspace.id} · version ${workspace.version}`)}`);
  terminal.line(`jobs at a time    ${workspace.maxRunningJobs ?? 'no limit'}`);
  terminal.line(`four eyes         ${workspace.requireFourEyes ? 'required for approvals' : 'not required'}`);
  terminal.line(`network of steps  ${workspace.allowNetwork ? 'allowed' : 'not allowed'}`);
}

function parseMaxRunning(text: string): number | 'none' {
  if (text === 'none') return text;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number from 1, or none.');
  return number;
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (!Number.isInteger(version) || version < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return version;
}
