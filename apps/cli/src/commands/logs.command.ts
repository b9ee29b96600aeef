import { finished } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { ApiError, type JobStep, type RunledgerClient } from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { UsageError } from '../failure.js';
import type { Terminal } from '../terminal/terminal.js';

export function logsCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('logs'))
    .summary('print what the steps wrote')
    .description(
      'Print what a step wrote, or what all of them wrote, each under its name. Output is kept as UTF-8 text: NUL, and bytes that ' +
        'are not UTF-8, became U+FFFD; of more than limits.outputKb the middle is missing, and a line says how much.',
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .argument('[step]', 'the key of a step')
    .addHelpText('after', '\nExamples:\n  $ runledger logs latest\n  $ runledger logs latest build > build.log')
    .action(async (given: string, stepKey: string | undefined, options: ServerOptions) => {
      const client = await connect(options);
      const jobId = await resolveJobId(client, given);
      const steps = await chooseSteps(client, jobId, stepKey);
      for (const step of steps)
        await printTranscript(client, step, { terminal, json: options.json === true, alone: stepKey !== undefined });
    });
}

/** @throws UsageError naming the steps that there are */
async function chooseSteps(client: RunledgerClient, jobId: string, stepKey: string | undefined): Promise<JobStep[]> {
  const steps = await client.steps(jobId);
  if (stepKey === undefined) return steps.filter((step) => step.attempt > 0 && step.type === 'COMMAND');
  const chosen = steps.filter((step) => step.key === stepKey || step.id === stepKey);
  if (chosen.length === 0)
    throw new UsageError(`the job has no step "${stepKey}"`, [
      `its steps: ${steps.map((step) => step.key).join(', ')}`,
    ]);
  return chosen;
}

async function printTranscript(
  client: RunledgerClient,
  step: JobStep,
  how: { terminal: Terminal; json: boolean; alone: boolean },
): Promise<void> {
  const { terminal, json, alone } = how;
  const body = await openTranscript(client, step);
  if (json)
    return terminal.json({
      stepId: step.id,
      stepKey: step.key,
      attempt: step.attempt,
      text: body === null ? '' : await text(body),
    });
  if (!alone) terminal.line(terminal.colors.cyan(`── ${step.key} `.padEnd(terminal.columns, '─')));
  if (body === null) return;
  const source = Readable.fromWeb(body);
  source.pipe(process.stdout, { end: false });
  await finished(source);
}

/** Null for a step that wrote nothing that was kept: one that did not run, or a gate. */
async function openTranscript(client: RunledgerClient, step: JobStep) {
  try {
    return await client.transcript(step.jobId, step.id);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
