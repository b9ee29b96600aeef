import { finished } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Option, type Command } from 'commander';
import {
  ApiError,
  type JobStep,
  type RunledgerClient,
  type TranscriptOf,
  type TranscriptPiece,
  type TranscriptStream,
} from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { UsageError } from '../failure.js';
import type { Terminal } from '../terminal/terminal.js';

interface LogsOptions extends ServerOptions {
  stream?: 'stdout' | 'stderr';
}

export function logsCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('logs'))
    .summary('print what the steps wrote')
    .description(
      'Print what a step wrote, or what all of them wrote, each under its name. Output is kept as UTF-8 text: NUL, and bytes that ' +
        'are not UTF-8, became U+FFFD; of more than limits.outputKb the middle is missing, and a line says how much. ' +
        'On a terminal, standard error is red.',
    )
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .argument('[step]', 'the key of a step')
    .addOption(new Option('--stream <stream>', 'only what this stream got').choices(['stdout', 'stderr']))
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger logs latest\n  $ runledger logs latest build > build.log\n  $ runledger logs latest build --stream stderr',
    )
    .action(async (given: string, stepKey: string | undefined, options: LogsOptions) => {
      const client = await connect(options);
      const jobId = await resolveJobId(client, given);
      const steps = await chooseSteps(client, jobId, stepKey);
      for (const step of steps)
        await printTranscript(client, step, {
          ...{ terminal, json: options.json === true, alone: stepKey !== undefined },
          of: { stream: options.stream },
        });
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
  how: { terminal: Terminal; json: boolean; alone: boolean; of: TranscriptOf },
): Promise<void> {
  const { terminal, json, alone, of } = how;
  if (json) {
    const pieces: TranscriptPiece[] = [];
    await ifKept(async () => {
      for await (const piece of client.transcriptPieces(step.jobId, step.id, of)) pieces.push(piece);
    });
    const text = pieces.map((piece) => piece.text).join('');
    return terminal.json({ stepId: step.id, stepKey: step.key, attempt: step.attempt, text, pieces });
  }
  if (!alone) terminal.line(terminal.colors.cyan(`── ${step.key} `.padEnd(terminal.columns, '─')));
  await ifKept(() => (terminal.interactive ? printColoured(client, step, how) : printPlain(client, step, of)));
}

/** For a file or another program: the bytes as they are. */
async function printPlain(client: RunledgerClient, step: JobStep, of: TranscriptOf): Promise<void> {
  const source = Readable.fromWeb(await client.transcript(step.jobId, step.id, of));
  source.pipe(process.stdout, { end: false });
  await finished(source);
}

/** For a person: standard error in red, what the runner has to say dimmed. */
async function printColoured(
  client: RunledgerClient,
  step: JobStep,
  { terminal, of }: { terminal: Terminal; of: TranscriptOf },
): Promise<void> {
  const { dim, red } = terminal.colors;
  const paint: Record<TranscriptStream, (text: string) => string> = { stdout: String, stderr: red, runner: dim };
  for await (const { stream, text } of client.transcriptPieces(step.jobId, step.id, of)) {
    const lines = text.split('\n').map((line) => (line === '' ? '' : paint[stream](line)));
    process.stdout.write(lines.join('\n'));
  }
}

/** Nothing to print for a step that wrote nothing that was kept: one that did not run, or a gate. */
async function ifKept(print: () => Promise<void>): Promise<void> {
  try {
    await print();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return;
    throw error;
  }
}
