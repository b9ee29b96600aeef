import ora from 'ora';
import type { FollowItem, RunledgerClient, RunnerJob, RunnerJobStatus } from '#client';
import { EXIT, Interrupted } from '../failure.js';
import type { Terminal } from '../terminal/terminal.js';
import { FollowView } from './follow-view.js';

const TICK_MS = 100;
/** Ora's own `indent` would move the lines that are printed above it, too. */
const SPINNER = { interval: 80, frames: [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'].map((frame) => `  ${frame}`) };

/**
 * Follows a job to its end and shows it: as a picture for a person, as JSON lines for a script.
 * @returns the status the job ended with
 * @throws Interrupted on Ctrl-C; the job itself goes on
 */
export async function followToEnd(
  client: RunledgerClient,
  job: RunnerJob,
  terminal: Terminal,
  json: boolean,
): Promise<RunnerJobStatus> {
  const stop = new AbortController();
  const interrupt = (): void =>
    stop.abort(new Interrupted(`the job goes on; follow it again with: runledger follow ${job.id}`));
  process.once('SIGINT', interrupt);
  const show = json ? showJson(terminal) : showPicture(job, terminal);
  try {
    for await (const item of client.followJob(job.id, { signal: stop.signal })) {
      show.item(item);
      if (item.kind === 'complete') return item.status;
    }
    throw new Error('the event stream ended without an end');
  } finally {
    process.off('SIGINT', interrupt);
    show.end();
  }
}

/** 0 for a completed job, 1 for one that ended otherwise. */
export function exitCodeOf(status: RunnerJobStatus): number {
  return status === 'COMPLETED' ? EXIT.ok : EXIT.failed;
}

interface Show {
  item(item: FollowItem): void;
  end(): void;
}

function showJson(terminal: Terminal): Show {
  return {
    item: (item) => {
      if (item.kind === 'reconnecting') terminal.note(JSON.stringify(item));
      else terminal.json(item);
    },
    end: () => undefined,
  };
}

function showPicture(job: RunnerJob, terminal: Terminal): Show {
  const breakAt = terminal.interactive ? terminal.columns : Infinity;
  const view = new FollowView(job, terminal.colors, terminal.columns, breakAt);
  const print = (lines: string[]): void => lines.forEach((line) => terminal.line(line));
  print(view.header());
  if (!terminal.interactive) return { item: (item) => print(view.apply(item)), end: () => undefined };

  // Ora keeps its line below whatever else is written. Standard input stays ours, or Ctrl-C would be its business.
  const spinner = ora({ stream: process.stdout, discardStdin: false, spinner: SPINNER });
  const draw = (): void => {
    const text = view.running(Date.now());
    if (text === null) spinner.stop();
    else if (spinner.isSpinning) spinner.text = text;
    else spinner.start(text);
  };
  const ticking = setInterval(draw, TICK_MS);
  return {
    item: (item) => {
      const lines = view.apply(item);
      const ended = view.running(Date.now()) === null;
      // The spinner goes before its step's last line is printed, so that it is not drawn once more below it.
      if (ended || item.kind === 'complete') spinner.stop();
      print(lines);
      if (item.kind === 'complete') clearInterval(ticking);
    },
    end: () => {
      clearInterval(ticking);
      spinner.stop();
    },
  };
}
