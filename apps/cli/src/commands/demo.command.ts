import type { Command } from 'commander';
import { Interrupted } from '../failure.js';
import { untilSignal } from '../supervisor/until-signal.js';
import type { Terminal } from '../terminal/terminal.js';

export function demoCommand(program: Command, terminal: Terminal): void {
  program
    .command('demo')
    .summary('see it work, once, in a temporary folder')
    .description(
      'Start the whole system in a temporary folder, run a job on this checkout, verify its ledger, and stop again.',
    )
    .addHelpText('after', '\nExamples:\n  $ npm run demo')
    .action(async () => {
      // Only a few commands need the server's libraries; the others are quick without them.
      const { runDemo } = await import('../demo/demo.js');
      const signal = untilSignal();
      const demo = runDemo(terminal);
      // Ctrl-C while it starts or stops is heard when that is over: half a start cannot be undone.
      const interrupted = signal.first.then(async () => {
        await demo.catch(() => undefined);
        throw new Interrupted('the demo was stopped; nothing is left behind');
      });
      await Promise.race([demo, interrupted, signal.second.then(() => process.exit(1))]);
    });
}
