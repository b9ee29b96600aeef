import pc from 'picocolors';

export type Colors = ReturnType<typeof pc.createColors>;

/** Where a command writes: answers on standard output, remarks on standard error. */
export interface Terminal {
  /** A line for a person (or of JSON) on standard output. */
  line(text?: string): void;
  json(value: unknown): void;
  /** A remark that is no part of the answer. */
  note(text: string): void;
  /** Whether a person watches: spinners and colours only then. */
  readonly interactive: boolean;
  readonly columns: number;
  readonly colors: Colors;
  /** The colours for `note`. */
  readonly noteColors: Colors;
}

/** As wide as tables and aligned columns get, however wide the window is: the eye loses the line beyond. */
const WIDEST = 110;

/** The terminal of this process. Colour follows NO_COLOR, FORCE_COLOR=0 and TERM=dumb, and never goes into a file or a pipe. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  return {
    line: (text = '') => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    interactive: stdout.isTTY === true,
    get columns() {
      return Math.min(stdout.isTTY ? stdout.columns : 80, WIDEST);
    },
    colors: pc.createColors(pc.isColorSupported && stdout.isTTY === true),
    noteColors: pc.createColors(pc.isColorSupported && stderr.isTTY === true),
  };
}

/** Ends the process quietly when the reader of our output has gone (`| head`): that is no error. */
export function tolerateBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  process.stderr.on('error', () => undefined);
}
