import { tellFailure } from './failure.js';
import { buildProgram } from './program.js';
import { processTerminal, tolerateBrokenPipe } from './terminal/terminal.js';

tolerateBrokenPipe();
const terminal = processTerminal();
try {
  await buildProgram(terminal).parseAsync();
} catch (error) {
  // Not `process.exit`: what was written to a pipe may still be on its way.
  process.exitCode = tellFailure(error, terminal, process.argv.includes('--json'));
}
