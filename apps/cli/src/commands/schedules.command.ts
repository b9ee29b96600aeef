import type { Command } from 'commander';
import type { RunledgerClient, Schedule } from '#client';
import { addServerOptions, connect, type ServerOptions } from '../connect.js';
import { readDefinition } from '../definition-file.js';
import { UsageError } from '../failure.js';
import { cleanLine, formatAge } from '../terminal/format.js';
import { renderTable } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';

export function schedulesCommand(program: Command, terminal: Terminal): void {
  const schedules = program
    .command('schedules')
    .summary('jobs by the clock')
    .description('Jobs that are submitted by the clock.')
    .addHelpText('after', EXAMPLES);
  listCommand(schedules, terminal);
  writeCommands(schedules, terminal);
  showCommand(schedules, terminal);
  actionCommands(schedules, terminal);
}

const EXAMPLES = `
Examples:
  $ runledger schedules create nightly.yaml
  $ runledger schedules show nightly
  $ runledger schedules pause nightly

A schedule is a YAML or JSON file:
  name: nightly
  cron: "30 2 * * *"
  timeZone: Europe/Berlin
  overlap: skip            # or queue, cancel-previous
  catchUp: latest          # or none, all
  job: { name: backup, steps: [...] }`;

function listCommand(schedules: Command, terminal: Terminal): void {
  addServerOptions(schedules.command('list').alias('ls'))
    .description('List schedules, newest first. With --json: one schedule a line.')
    .action(async (options: ServerOptions) => {
      const client = await connect(options);
      const found: Schedule[] = [];
      for await (const schedule of client.listSchedules()) {
        if (options.json === true) terminal.json(schedule);
        else found.push(schedule);
      }
      if (options.json === true) return;
      if (found.length === 0)
        terminal.note(terminal.noteColors.dim('no schedules; create one with: runledger schedules create FILE'));
      else table(found, terminal).forEach((line) => terminal.line(line));
    });
}

function table(found: Schedule[], terminal: Terminal): string[] {
  const { colors, columns } = terminal;
  return renderTable<Schedule>(
    found,
    [
      { title: 'NAME', value: ({ name }) => cleanLine(name), shrinks: true },
      { title: 'CRON', value: ({ cron }) => cleanLine(cron) },
      { title: 'ZONE', value: ({ timeZone }) => timeZone },
      { title: 'NEXT', value: nextOf },
      { title: 'LAST', value: lastOf },
      { title: 'ID', value: ({ id }) => id.slice(-12), paint: colors.dim },
    ],
    columns,
    colors.dim,
  );
}

function nextOf({ paused, nextRunAt }: Schedule): string {
  if (paused) return 'paused';
  return nextRunAt === null ? 'never' : nextRunAt.slice(0, 16).replace('T', ' ');
}

function lastOf({ lastRunAt, lastOutcome }: Schedule): string {
  if (lastRunAt === null) return '';
  const skipped = lastOutcome === 'SUBMITTED' ? '' : ` ${(lastOutcome ?? '').toLowerCase().replaceAll('_', ' ')}`;
  return `${formatAge(lastRunAt, Date.now())}${skipped}`;
}

function writeCommands(schedules: Command, terminal: Terminal): void {
  addServerOptions(schedules.command('create'))
    .description('Create a schedule from a file, or from standard input for -.')
    .argument('<file>', 'the schedule')
    .action(async (file: string, options: ServerOptions) => {
      const { value } = await readDefinition(file);
      tell(await (await connect(options)).createSchedule(value), options, terminal);
    });
  addServerOptions(schedules.command('replace'))
    .description('Replace what a schedule says. What the file leaves out takes its default.')
    .argument('<schedule>', 'its name or id')
    .argument('<file>', 'the schedule')
    .action(async (given: string, file: string, options: ServerOptions) => {
      const { value } = await readDefinition(file);
      const client = await connect(options);
      const { id, version } = await find(client, given);
      tell(await client.replaceSchedule(id, value, version), options, terminal);
    });
}

function showCommand(schedules: Command, terminal: Terminal): void {
  addServerOptions(schedules.command('show'))
    .description('Show a schedule and its next times.')
    .argument('<schedule>', 'its name or id')
    .action(async (given: string, options: ServerOptions) => {
      const client = await connect(options);
      const schedule = await find(client, given);
      const nextRuns = await client.nextRuns(schedule.id, 5);
      if (options.json === true) return terminal.json({ ...schedule, nextRuns });
      const { bold, dim } = terminal.colors;
      const { name, cron, timeZone, overlap, catchUp, lastRunAt, lastOutcome, lastJobId, id } = schedule;
      terminal.line(`${bold(cleanLine(name))}  ${cleanLine(cron)} (${timeZone})${schedule.paused ? '  paused' : ''}`);
      terminal.line(dim(`${id} · overlap ${overlap} · catch up ${catchUp}`));
      if (lastRunAt !== null) terminal.line(dim(`last ${lastRunAt} · ${lastOutcome ?? ''} · ${lastJobId ?? 'no job'}`));
      for (const time of nextRuns) terminal.line(`next ${time}`);
    });
}

function actionCommands(schedules: Command, terminal: Terminal): void {
  const actions = {
    pause: {
      about: 'Stop a schedule from firing.',
      run: (client: RunledgerClient, id: string) => client.pauseSchedule(id),
    },
    resume: {
      about: 'Let a paused schedule fire again; what fell into the pause is not caught up on.',
      run: (client: RunledgerClient, id: string) => client.resumeSchedule(id),
    },
  };
  for (const [name, { about, run }] of Object.entries(actions)) {
    addServerOptions(schedules.command(name))
      .description(about)
      .argument('<schedule>', 'its name or id')
      .action(async (given: string, options: ServerOptions) => {
        const client = await connect(options);
        tell(await run(client, (await find(client, given)).id), options, terminal);
      });
  }
  addServerOptions(schedules.command('delete'))
    .description('Delete a schedule. Its jobs stay.')
    .argument('<schedule>', 'its name or id')
    .action(async (given: string, options: ServerOptions) => {
      const client = await connect(options);
      const { id, name } = await find(client, given);
      await client.deleteSchedule(id);
      if (options.json === true) terminal.json({ id, deleted: true });
      else terminal.line(`deleted schedule ${cleanLine(name)}`);
    });
}

async function find(client: RunledgerClient, given: string): Promise<Schedule> {
  for await (const schedule of client.listSchedules()) {
    if (schedule.name === given || schedule.id === given || schedule.id.endsWith(`-${given}`)) return schedule;
  }
  throw new UsageError(`there is no schedule "${given}"; runledger schedules list shows them`);
}

function tell(schedule: Schedule, options: ServerOptions, terminal: Terminal): void {
  if (options.json === true) return terminal.json(schedule);
  const next = schedule.paused ? 'paused' : `next at ${schedule.nextRunAt ?? 'no time'}`;
  terminal.line(`schedule ${cleanLine(schedule.name)}  ${terminal.colors.dim(`${next} · ${schedule.id}`)}`);
}
