import type { Command } from 'commander';
import type { JobEvent, RunledgerClient } from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { EXIT, ExitWith, Interrupted } from '../failure.js';
import { exitCodeOf } from '../follow/follow.js';
import { ledgerTable, verifyLines } from '../terminal/job-text.js';
import type { Terminal } from '../terminal/terminal.js';

export function eventsCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('events'))
    .summary("print a job's ledger")
    .description(
      "Print a job's ledger, one event a line. With --json: one event a line, exactly as the API returns it.",
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .option(
      '-f, --follow',
      'go on with what comes until the job ends; the exit code is then 0 if it completed, 1 if it did not',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger events latest\n  $ runledger events latest --follow --json | jq -r .type',
    )
    .action(async (given: string, options: ServerOptions & { follow?: boolean }) => {
      const client = await connect(options);
      const jobId = await resolveJobId(client, given);
      if (options.follow === true)
        throw new ExitWith(await followEvents(client, jobId, terminal, options.json === true));
      const events: JobEvent[] = [];
      for await (const event of client.events(jobId)) {
        if (options.json === true) terminal.json(event);
        else events.push(event);
      }
      if (options.json === true) return;
      ledgerTable(events, await stepKeys(client, jobId), terminal.columns, terminal.colors).forEach((line) =>
        terminal.line(line),
      );
    });
}

export function verifyCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('verify'))
    .summary("check a job's ledger")
    .description(
      "Check that a job's chain of events is whole and that its rows are what the events say. The exit code is 1 if not.",
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .addHelpText('after', '\nExamples:\n  $ runledger verify latest\n  $ runledger verify latest --json | jq .firstBad')
    .action(async (given: string, options: ServerOptions) => {
      const client = await connect(options);
      const report = await client.verify(await resolveJobId(client, given));
      if (options.json === true) terminal.json(report);
      else verifyLines(report, terminal.colors).forEach((line) => terminal.line(line));
      throw new ExitWith(report.valid && report.fold.matches ? EXIT.ok : EXIT.failed);
    });
}

export async function stepKeys(client: RunledgerClient, jobId: string): Promise<Map<string, string>> {
  return new Map((await client.steps(jobId)).map((step) => [step.id, step.key]));
}

/** Rows as they come: columns cannot be measured ahead, so each line stands for itself. */
async function followEvents(
  client: RunledgerClient,
  jobId: string,
  terminal: Terminal,
  json: boolean,
): Promise<number> {
  const stop = new AbortController();
  const interrupt = (): void =>
    stop.abort(new Interrupted(`the job goes on; follow it again with: runledger events ${jobId} --follow`));
  process.once('SIGINT', interrupt);
  const keys = json ? new Map<string, string>() : await stepKeys(client, jobId);
  const { dim, cyan } = terminal.colors;
  try {
    for await (const item of client.followJob(jobId, { signal: stop.signal })) {
      if (item.kind === 'complete') return exitCodeOf(item.status);
      if (item.kind === 'reconnecting') terminal.note(`connection lost (${item.reason}), trying again`);
      if (item.kind !== 'event') continue;
      const { event } = item;
      const what = `${event.type.padEnd(18)}  ${keys.get(event.stepId ?? '') ?? event.phase ?? ''}`;
      if (json) terminal.json(event);
      else
        terminal.line(
          `${String(event.seq).padStart(4)}  ${dim(event.timestamp.slice(11, 23))}  ${cyan(event.hash.slice(0, 12))}  ${what}`,
        );
    }
    return EXIT.failed;
  } finally {
    process.off('SIGINT', interrupt);
  }
}
